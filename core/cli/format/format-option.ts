import type { Option } from 'commander';
import { invalidArgument } from '@gantry/sdk/errors';
import { value } from '../option.ts';

export type Format = 'table' | 'json';

export const formatOption: Option = value('--format <table|json>', 'How to print: as text, or as JSON', parseFormat);

export function parseFormat(given: string): Format {
  if (given === 'table' || given === 'json') return given;
  const hint = 'for other shapes, print JSON and use jq: --format json | jq …';
  throw invalidArgument(given.includes('{{') ? 'Go templates are not supported' : `${JSON.stringify(given)} is not table or json`, {
    hint,
  });
}
