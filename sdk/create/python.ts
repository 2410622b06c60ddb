import type { Language } from './plan.ts';
import { servedByItself, standaloneFiles, standaloneKinds, standaloneNote } from './standalone.ts';

/** A program of the protos alone, by grpcio's generator. */
export const python: Language = {
  title: 'Python',
  kinds: standaloneKinds,
  // In the sandbox there is the machine's own Python and no other.
  manifest: (plan) => servedByItself(plan, 'Python', ['/usr/bin/python3', '-u', 'main.py']),
  packageJson: {
    scripts: { build: './build.sh', test: './build.sh && gantry-sdk conformance .' },
    files: ['*.py', 'gen', 'lib'],
  },
  note: standaloneNote,
  guide: () => [
    ['driver.py', 'the driver: change this'],
    ['main.py', 'what every plugin serves: start, handshake, end'],
    ['failure.py', 'how a call fails'],
    ['requirements.txt', 'what it imports; lib/ has it for the Python it was built with, and users need the same minor version'],
    ['build.sh', '`npm run build`: lib/ from requirements.txt, gen/ from proto/ by grpcio-tools'],
    ['proto/', 'the contracts, from the SDK: its README says which'],
  ],
  ignored: ['gen/', 'lib/', '__pycache__/'],
  files: (plan) =>
    standaloneFiles('python', plan, {
      driver: 'driver.py',
      others: ['main.py', 'failure.py', 'requirements.txt', 'requirements-tools.txt', 'build.sh'],
    }),
};
