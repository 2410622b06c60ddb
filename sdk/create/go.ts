import type { Language } from './plan.ts';
import { servedByItself, standaloneFiles, standaloneKinds, standaloneNote } from './standalone.ts';

/** A program of the protos alone, by gRPC's own generators. */
export const go: Language = {
  title: 'Go',
  kinds: standaloneKinds,
  manifest: (plan) => servedByItself(plan, 'Go', ['./driver']),
  packageJson: {
    scripts: { build: './build.sh', test: './build.sh && gantry-sdk conformance .' },
    devDependencies: { '@bufbuild/buf': '1.75.0' },
    files: ['driver'],
  },
  note: standaloneNote,
  guide: () => [
    ['driver.go', 'the driver: change this'],
    ['main.go', 'what every plugin serves: start, handshake, end'],
    ['build.sh', '`npm run build`: gen/ from proto/ by buf and protoc-gen-go, then the program `driver`'],
    ['proto/', 'the contracts, from the SDK: its README says which'],
  ],
  ignored: ['driver', 'gen/'],
  setUp: '      - uses: actions/setup-go@v5\n        with: { go-version-file: go.mod }\n',
  files: (plan) =>
    standaloneFiles('go', plan, { driver: 'driver.go', others: ['main.go', 'go.mod', 'go.sum', 'buf.gen.yaml', 'build.sh'] }),
};
