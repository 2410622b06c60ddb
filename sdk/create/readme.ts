import { article, type Language, type Plan } from './plan.ts';
import { samples } from './samples.ts';

/** From the first change to the first user. */
export function readme(plan: Plan, language: Language): string {
  const { name, kind } = plan;
  const { packageJson, guide, title } = language;
  const note = language.note?.(plan);
  const isBuilt = packageJson.scripts['build'] !== undefined;
  const rows = [
    ...guide(plan),
    ['gantry-plugin.json', 'what an engine reads before any of it runs: name, version, how to start it, what it asks for'],
  ];
  return `# ${name}

${article(kind).replace('a', 'A')} driver for Gantry, in ${title}.

| | |
| --- | --- |
${rows.map(([file, what]) => `| \`${file}\` | ${what} |`).join('\n')}
${note === undefined ? '' : `\n${note}\n`}
## Change it, prove it, try it

\`\`\`sh
npm install                   # once
npm test                      # ${isBuilt ? 'builds it, then ' : ''}every case of the contract: needs neither root nor an engine
npm run conformance -- --only '${samples[kind].first}'   # some of them
gantry plugin dev --rm .      # into the engine on this machine: ${isBuilt ? 'what is built' : 'what is saved'} takes over while containers run
${isBuilt ? 'npm run build                 # in another terminal, after each change\n' : ''}\`\`\`

## Give it to others

\`\`\`sh
gantry plugin doctor .        # what they would stumble over
gantry plugin pack . -o ../${name}.tgz
gantry plugin install ../${name}.tgz${language.manifest(plan).settings === undefined ? '' : ' KEY=value…'}   # what it asks for is shown first
${usage(plan, language)}
gantry plugin logs ${name}
\`\`\`

\`npm publish\` works as well: \`gantry plugin install npm:gantry-${name}\`. A new version: change it in gantry-plugin.json${
    isBuilt ? '' : ', the code'
  } and package.json,
then \`gantry plugin upgrade ${name} ../${name}.tgz\`; containers that use it go on.
${forDocker(plan, language)}`;
}

/** Docker has plugins of some kinds only; scripts and Python need a root with what runs them. */
function forDocker({ name, kind }: Plan, { title }: Language): string {
  if (!['volume', 'network', 'ipam', 'log'].includes(kind)) return '';
  const base = title === 'Python' ? ' --base python-base.tar' : title === 'shell' ? ' --base alpine.tar' : '';
  const why =
    base === ''
      ? ''
      : `\nThe base has what it runs with, for example of \`docker save IMAGE -o ${base.slice(8)}\`${title === 'Python' ? ', with the Python that lib/ was built for' : ''}.`;
  return `
For Docker's own daemon: \`gantry-sdk pack . --docker${base} -o ../${name}-docker\`, then \`docker plugin create acme/${name} ../${name}-docker\` and
\`docker plugin enable acme/${name}\`; there its driver is \`acme/${name}\`.${why}
`;
}

function usage({ name, kind }: Plan, { manifest }: Language): string {
  const required = (manifest({ name, kind }).options?.[kind]?.['required'] ?? []) as readonly string[];
  const options = required.map((option) => ` -o ${option}=…`).join('');
  const uses = {
    volume: `docker volume create -d ${name}${options} v1 && docker run --rm -v v1:/data busybox touch /data/it-works`,
    network: `docker network create -d ${name}${options} n1 && docker run --rm --network n1 busybox ip address`,
    ipam: `docker network create --ipam-driver ${name} n1`,
    log: `docker run --rm --log-driver ${name} busybox echo it works`,
    graph: `gantryd --storage-driver ${name}`,
    exec: `docker run --rm --runtime ${name} busybox echo it works`,
  } as const satisfies Record<Plan['kind'], string>;
  return uses[kind];
}
