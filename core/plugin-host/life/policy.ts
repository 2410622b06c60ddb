/** Numbers of the host, all of them milliseconds or counts; an embedding program may choose others. */
export interface PluginPolicy {
  readonly startMs: number;
  readonly waitMs: number;
  /** Between the end of a generation and the next: doubled each time, up to the last. */
  readonly backOffMs: readonly [first: number, most: number];
  /** So many ends or strikes within the time quarantine a plugin. */
  readonly crashBudget: { readonly count: number; readonly withinMs: number };
  readonly strikeBudget: { readonly count: number; readonly withinMs: number };
  readonly quarantineMs: readonly number[];
  readonly probationMs: number;
  /** Between two signs of life; the deadline of one. */
  readonly healthMs: number;
  readonly healthDeadlineMs: number;
  /** A connection is asked after so long without a word, and broken when nothing comes for as long again. */
  readonly keepaliveMs: number;
  /** A process that uses this share of its memory for so long is renewed; between two looks. */
  readonly memory: { readonly share: number; readonly forMs: number; readonly lookMs: number };
  /** Between two looks at whether what plugins have is what the records have. */
  readonly compareMs: number;
  /** What nobody knows of is kept for so long, unless a user wants it gone. */
  readonly orphanGraceMs: number;
  /** Between two self-tests of a running plugin. */
  readonly selfTestMs: number;
  /** So many deadlines in a row and calls fail at once, for so long; then one is let through as a try. */
  readonly breaker: { readonly count: number; readonly openMs: number };
}
export const defaultPolicy: PluginPolicy = {
  startMs: 10_000,
  waitMs: 10_000,
  backOffMs: [100, 30_000],
  crashBudget: { count: 5, withinMs: 300_000 },
  strikeBudget: { count: 3, withinMs: 300_000 },
  quarantineMs: [60_000, 300_000, 900_000],
  probationMs: 60_000,
  healthMs: 15_000,
  healthDeadlineMs: 10_000,
  keepaliveMs: 10_000,
  memory: { share: 0.8, forMs: 600_000, lookMs: 30_000 },
  compareMs: 3_600_000,
  orphanGraceMs: 86_400_000,
  selfTestMs: 60_000,
  breaker: { count: 5, openMs: 5_000 },
};
