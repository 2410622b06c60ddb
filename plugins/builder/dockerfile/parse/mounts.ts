import { parseError } from './complaint.ts';
import type { Instruction } from './instruction.ts';

/** `RUN --mount=…`, as it is written. */
export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  readonly target?: string;
  readonly source?: string;
  readonly from?: string;
  readonly id?: string;
  readonly isWritable: boolean;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly isRequired: boolean;
  readonly env?: string;
  readonly sizeBytes?: number;
  readonly mode?: number;
  readonly uid: number;
  readonly gid: number;
}

const keysOf: Readonly<Record<RunMount['type'], readonly string[]>> = {
  bind: ['target', 'source', 'from', 'rw'],
  cache: ['id', 'target', 'source', 'from', 'ro', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['target', 'size'],
  secret: ['id', 'target', 'required', 'mode', 'uid', 'gid', 'env', 'source'],
  ssh: ['id', 'target', 'required', 'mode', 'uid', 'gid'],
};
const synonyms: Readonly<Record<string, string>> = { dst: 'target', destination: 'target', src: 'source', readonly: 'ro', readwrite: 'rw' };

/** The mounts of a RUN; throws what is wrong with one. */
export function mountsOf(instruction: Instruction): readonly RunMount[] {
  return (instruction.flags.get('mount') ?? []).map((text) => readMount(instruction, text));
}

function readMount(instruction: Instruction, text: string): RunMount {
  const fields = new Map<string, string>();
  for (const field of text.replaceAll(/["']/g, '').split(',')) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    fields.set(synonyms[key] ?? key, equals < 0 ? 'true' : field.slice(equals + 1));
  }
  const type = fields.get('type') ?? 'bind';
  if (!Object.hasOwn(keysOf, type))
    throw parseError(instruction, `unsupported mount type ${JSON.stringify(type)}: bind, cache, tmpfs, secret or ssh`);
  const kind = type as RunMount['type'];
  for (const key of fields.keys())
    if (key !== 'type' && !keysOf[kind].includes(key) && !(key === 'rw' && kind === 'cache') && !(key === 'ro' && kind === 'bind'))
      throw parseError(instruction, `unexpected key '${key}' in '--mount=${text}' for mount type '${kind}'`);
  return checked(instruction, { kind, fields });
}

function checked(
  instruction: Instruction,
  { kind, fields }: { readonly kind: RunMount['type']; readonly fields: ReadonlyMap<string, string> },
): RunMount {
  const fail = (problem: string): never => {
    throw parseError(instruction, `--mount=type=${kind}: ${problem}`);
  };
  const whole = (key: string, base = 10): number | undefined => {
    const value = fields.get(key);
    if (value !== undefined && !(base === 8 ? /^[0-7]{1,5}$/ : /^\d{1,9}$/).test(value)) fail(`${key} must be a number (${value})`);
    return value === undefined ? undefined : Number.parseInt(value, base);
  };
  const sharing = fields.get('sharing') ?? 'shared';
  if (sharing !== 'shared' && sharing !== 'private' && sharing !== 'locked')
    return fail(`sharing is shared, private or locked, not ${sharing}`);
  const target = fields.get('target');
  if (target === undefined && (kind === 'cache' || kind === 'tmpfs' || kind === 'bind')) return fail('target is required');
  if (kind === 'cache' && (fields.has('from') || fields.has('source')))
    return fail('a cache begins empty here: from and source are not supported');
  const [source, from, env, id] = [fields.get('source'), fields.get('from'), fields.get('env'), fields.get('id')];
  const [mode, size] = [whole('mode', 8), whole('size')];
  return {
    type: kind,
    isWritable: kind === 'cache' ? fields.get('ro') !== 'true' : fields.get('rw') === 'true',
    sharing,
    isRequired: fields.get('required') === 'true',
    uid: whole('uid') ?? 0,
    gid: whole('gid') ?? 0,
    ...(target === undefined ? {} : { target }),
    ...(source === undefined ? {} : { source }),
    ...(from === undefined ? {} : { from }),
    ...(id === undefined ? {} : { id }),
    ...(env === undefined ? {} : { env }),
    ...(size === undefined ? {} : { sizeBytes: size }),
    ...(mode === undefined ? {} : { mode }),
  };
}
