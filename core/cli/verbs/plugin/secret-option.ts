import { list } from '../../option.ts';
import { parseSecret } from '../../parse/secret.ts';

export const secretOption = list(
  '--secret <KEY=file>',
  "A setting from a file ('-': stdin), so that no list of processes shows it",
  parseSecret,
);
