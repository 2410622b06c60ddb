import { delimiter, isAbsolute, join } from 'node:path';
import { type Ctx, forbidden, invalidArgument, unavailable } from '@gantry/sdk';
import type { DescribeRequest, DescribingExecDriver, ProcessSpec, Program, RuntimeCommand } from '@gantry/sdk/exec';
import type { Grants } from '../drivers/types.ts';
import { statOf, trustedProgram } from './trusted-program.ts';
import { blamed, openPlace } from '@gantry/sdk/mounts';

/**
 * Asks a driver how a container is to be run, and answers it checked: a runtime is one that was granted, with its absolute path; a program is
 * whole. What goes beyond the grant is `forbidden` and told to who counts.
 */
export async function describedProcess(
  driver: DescribingExecDriver,
  request: DescribeRequest,
  { grants, ctx }: { readonly grants: Grants; readonly ctx: Ctx },
): Promise<ProcessSpec> {
  const { run } = await driver.describe(request, ctx);
  try {
    return run.kind === 'runtime'
      ? { kind: 'runtime', ...checkedCommand(run, grants) }
      : { kind: 'program', ...checkedProgram(run, grants) };
  } catch (error) {
    throw blamed(error, grants);
  }
}

/** An O_PATH descriptor of what a described program is to see of the host; the caller closes it. */
export function openShown(path: string, grants: Grants): number {
  try {
    return openPlace({ host: path }, grants);
  } catch (error) {
    throw blamed(error, grants);
  }
}

/** The words are compared as a whole: an argument can make of a runtime anything that root can do. */
function checkedCommand({ program, arguments: given }: RuntimeCommand, grants: Grants): RuntimeCommand {
  const words = [program, ...given];
  const text = words.join(' ');
  if (words.some((word) => !/^[^\s\0]+$/.test(word)))
    throw invalidArgument(
      `plugin ${grants.plugin} describes a runtime with an empty word, a space or a NUL byte: ${JSON.stringify(words)}`,
    );
  if (grants.runtimes?.includes(text) !== true) {
    throw forbidden(`plugin ${grants.plugin} may not run the runtime ${JSON.stringify(text)}`, {
      hint: 'its manifest has to name it, with its arguments, in privileges.runtimes',
    });
  }
  return { program: trustedProgram(locate(program, grants), { what: 'runtime', plugin: grants.plugin }), arguments: given };
}

function locate(program: string, { plugin }: Grants): string {
  if (isAbsolute(program)) return program;
  if (program.includes('/')) throw invalidArgument(`plugin ${plugin}: runtime ${program} is neither a name nor an absolute path`);
  const found = searchPath
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => statOf(path)?.isFile() === true);
  if (found === undefined) throw unavailable(`runtime ${program} is not installed`, { hint: `it was looked for in ${searchPath}` });
  return found;
}

function checkedProgram({ argv, env, cwd = '/', hostPaths = [] }: Program, { plugin }: Grants): Program {
  const fail = (what: string): never => {
    throw invalidArgument(`plugin ${plugin} describes a program ${what}`);
  };
  const [program] = argv;
  if (program === undefined || !isAbsolute(program)) return fail(`without an absolute path: ${JSON.stringify(argv)}`);
  if ([...argv, ...env, cwd, ...hostPaths].some((text) => text.includes('\0'))) return fail('with a NUL byte');
  const nameless = env.find((entry) => entry.indexOf('=') < 1);
  if (nameless !== undefined) return fail(`with ${JSON.stringify(nameless)} in its environment, which is no NAME=value`);
  const relative = [cwd, ...hostPaths].find((path) => !isAbsolute(path));
  if (relative !== undefined) return fail(`with ${JSON.stringify(relative)}, which is no absolute path`);
  return { argv, env, cwd, hostPaths };
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
