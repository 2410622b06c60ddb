import type { ErrorCode } from '@gantry/sdk';

/** What the fault plugin is told to do wrong in one method. */
export interface Fault {
  readonly does?:
    | 'nothing'
    | 'hang'
    | 'spin'
    | 'kill'
    | 'throw'
    | 'fork'
    | 'leak'
    | 'hoard'
    | 'flood'
    | 'flood-log'
    | 'rules'
    | 'lie'
    | 'down'
    | 'wait'
    | 'segv'
    | 'until-cancelled'
    | 'refuse';
  readonly waitMs?: number;
  /** Of what it hoards. */
  readonly mebibytes?: number;
  /** Of what it refuses with. */
  readonly code?: ErrorCode;
  /** Before the work (unless said), after it and before the answer, or a moment after the answer. */
  readonly when?: 'after' | 'answered';
  /** The next call is well again. */
  readonly once?: boolean;
  /** Instead of the right one. */
  readonly answer?: unknown;
  /** Of `network.createNetwork`, with "rules": the right answer and these. */
  readonly rules?: readonly string[];
  /** Likewise: its link's name. */
  readonly bridge?: string;
  /** Of `list`: so many further volumes, so slowly. */
  readonly many?: number;
  readonly eachMs?: number;
}
