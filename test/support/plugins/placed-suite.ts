import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import type { DriverKind, DriverKinds, HostContext } from '@gantry/sdk';
import { type DriverPlacement, openPlaced, type PlacedPlugin, placements } from './placed-driver.ts';
import { Answers, type AnswersOptions } from './recorded-answers.ts';
import { slowness } from '../machine/slowness.ts';

export interface PlacedSubject<Kind extends DriverKind> {
  /** After a restart, the new one. */
  readonly driver: DriverKinds[Kind];
  readonly restart: (meanwhile?: () => Promise<void>) => Promise<DriverKinds[Kind]>;
  /** SIGKILL for its process, where it has one of its own. */
  readonly kill?: () => void;
  /** The same, and starts it again. */
  readonly killAndRestart?: () => Promise<DriverKinds[Kind]>;
  readonly placement: DriverPlacement;
  /** The process that it runs in. */
  readonly pid: number;
  /** Everything of the plugin is below. */
  readonly pluginFolder: string;
  readonly dataDir: string;
  /** For what else a case needs; empty, its own, goes away with it. */
  readonly folder: string;
}
export interface PlacedSuite<Kind extends DriverKind, Case> {
  readonly label: string;
  /** "graph/overlay2" */
  readonly plugin: string;
  readonly kind: Kind;
  readonly driver: string;
  readonly config?: HostContext['config'];
  readonly cases: readonly Case[];
  /** All unless given; GANTRY_TEST_PLACEMENT chooses one of them. */
  readonly placements?: readonly DriverPlacement[];
  /**
   * Takes away what a case left: there may be what only the driver can delete, and one start outside this process serves all cases. A case that fails has the next one
   * start anew.
   * In this process each case has a start of its own: that the answers are the same proves that sharing is sound.
   */
  readonly clean?: (driver: DriverKinds[Kind]) => Promise<void>;
  /** Below which each start gets its folder. */
  readonly root?: string;
  readonly answers?: AnswersOptions;
  /** Answers why a case makes no sense here. */
  readonly run: (tried: Case, subject: PlacedSubject<Kind>) => Promise<string | undefined | void>;
}

/** The runner of tests drops what a SuppressedError holds. */
function toldWhole(error: unknown): never {
  if (!(error instanceof SuppressedError)) throw error;
  throw new Error(`${inspect(error.suppressed)}\nand then: ${inspect(error.error)}`);
}

const onlyPlacement = process.env['GANTRY_TEST_PLACEMENT'];

/** Makes tests of a contract's cases for a shipped driver in each placement, and one that compares what it answered in them. */
export function testPlacements<Kind extends DriverKind, Case extends { readonly name: string }>(suite: PlacedSuite<Kind, Case>): void {
  const answers = new Answers(suite.answers);
  const chosen = (suite.placements ?? placements).filter((one) => onlyPlacement === undefined || onlyPlacement === one);
  for (const placement of chosen) {
    const starts = new Starts(suite, placement);
    // Before the first case, so that what belongs to the shared start is nobody's leak.
    before(() => starts.warmUp());
    after(() => starts[Symbol.asyncDispose]());
    for (const tried of suite.cases) {
      test(`the ${suite.label} driver in placement ${placement} passes ${suite.kind}.${tried.name}`, async (context) => {
        await using used = await starts.take();
        const { plugin, folder } = used;
        const noted = async () =>
          answers.noted(await plugin.driver(suite.kind, suite.driver), {
            kind: suite.kind,
            placement,
            name: tried.name,
            roots: [folder, plugin.folder],
          });
        let driver = await noted();
        const restart = async (meanwhile?: () => Promise<void>) => {
          await plugin.restart(meanwhile);
          return (driver = await noted());
        };
        const killAndRestart = async () => {
          await plugin.kill();
          return (driver = await noted());
        };
        const subject: PlacedSubject<Kind> = {
          get driver() {
            return driver;
          },
          restart,
          ...(placement === 'process' && { kill: () => process.kill(plugin.pid, 'SIGKILL') }),
          ...(placement === 'process' && { killAndRestart }),
          placement,
          get pid() {
            return plugin.pid;
          },
          pluginFolder: plugin.folder,
          dataDir: plugin.dataDir,
          folder,
        };
        const reason = await suite.run(tried, subject).catch(toldWhole);
        await used.passed();
        if (typeof reason === 'string') context.skip(reason);
      });
    }
  }
  if (suite.placements === undefined && chosen.length > 1) answers.compare(suite.label);
}

interface Use extends AsyncDisposable {
  readonly plugin: PlacedPlugin;
  readonly folder: string;
  passed(): Promise<void>;
}

class Starts<Kind extends DriverKind, Case> implements AsyncDisposable {
  readonly #suite: PlacedSuite<Kind, Case>;
  readonly #placement: DriverPlacement;
  #shared: PlacedPlugin | undefined;

  constructor(suite: PlacedSuite<Kind, Case>, placement: DriverPlacement) {
    this.#suite = suite;
    this.#placement = placement;
  }

  async warmUp(): Promise<void> {
    if (this.#placement !== 'in-process') this.#shared = await this.#open();
  }

  async take(): Promise<Use> {
    await using undo = new AsyncDisposableStack();
    const root = this.#suite.root ?? tmpdir();
    // A monitor that has told the end of its container may still be writing its last file.
    const remove = (path: string): void => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 * slowness });
    const folder = undo.adopt(mkdtempSync(join(root, 'case-')), remove);
    const plugin = this.#shared ?? (await this.#open());
    this.#shared = undefined;
    const clean = async () => this.#suite.clean?.(await plugin.driver(this.#suite.kind, this.#suite.driver));
    let isGood = false;
    undo.defer(async () => {
      if (isGood) {
        this.#shared = plugin;
        return;
      }
      await clean().catch(() => undefined); // why the case failed counts
      await plugin[Symbol.asyncDispose]();
    });
    const whole = undo.move();
    return {
      plugin,
      folder,
      passed: async () => {
        await clean();
        isGood = this.#placement !== 'in-process';
      },
      [Symbol.asyncDispose]: () => whole.disposeAsync(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shared?.[Symbol.asyncDispose]();
  }

  #open(): Promise<PlacedPlugin> {
    const { plugin, config = {}, root } = this.#suite;
    return openPlaced({ plugin, placement: this.#placement, config, ...(root === undefined ? {} : { root }) });
  }
}
