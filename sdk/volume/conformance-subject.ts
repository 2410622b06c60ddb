import assert from 'node:assert/strict';
import type { Attachment, Ctx } from '../types/index.ts';
import type { AttachRequest, VolumeDriver } from './contract.ts';

/** An attachment that the kit's host mounted. */
type Texts = Readonly<Record<string, string>>;

export interface MountedVolume extends AsyncDisposable {
  readonly path: string;
}
/** A driver under test. `restart` ends it and opens it again on the same durable state; without `mount` the mounting cases are left out. */
export interface VolumeUnderTest {
  readonly driver: VolumeDriver;
  readonly ctx: Ctx;
  readonly restart: () => Promise<VolumeDriver>;
  readonly mount?: (attachment: Attachment) => Promise<MountedVolume>;
  /** Takes away what keeps the driver's volumes, as a server that is down, until disposed. */
  readonly stopBackend?: () => Promise<AsyncDisposable>;
  /** Options that this driver takes, and some it must refuse, by what is wrong with them. */
  readonly options?: {
    /** What every volume of this driver needs; the others contain it, except for what is missing from `missing`. */
    readonly base?: Readonly<Record<string, string>>;
    /** Options that are never shown. */
    readonly secret?: readonly string[];
    readonly good?: Readonly<Record<string, string>>;
    readonly missing?: Readonly<Record<string, string>>;
    readonly malformed?: Readonly<Record<string, string>>;
    /** What limits a volume to less than 64 MiB; such a one can be resized. */
    readonly sized?: Readonly<Record<string, string>>;
  };
}
export interface VolumeCase {
  readonly name: string;
  /** Why the case makes no sense for this driver; undefined: run it. */
  readonly skip: (subject: VolumeUnderTest) => string | undefined;
  readonly run: (subject: VolumeUnderTest) => Promise<void>;
}

export type Run = VolumeCase['run'];

export function casesOf(runs: Readonly<Record<string, Run>>, skip: VolumeCase['skip']): readonly VolumeCase[] {
  return Object.entries(runs).map(([name, run]) => ({ name, skip, run }));
}

export function create(subject: VolumeUnderTest, name: string, options = subject.options?.base ?? {}) {
  return subject.driver.create({ name, labels: {}, ...separated(subject, options) }, subject.ctx);
}

/** As the engine sends them: what is secret is apart. */
export function separated(
  { options: { secret = [] } = {} }: VolumeUnderTest,
  options: Texts,
): { readonly options: Texts; readonly secrets: Texts } {
  const entries = Object.entries(options);
  return {
    options: Object.fromEntries(entries.filter(([name]) => !secret.includes(name))),
    secrets: Object.fromEntries(entries.filter(([name]) => secret.includes(name))),
  };
}

export function shown({ options: { good = {}, secret = [] } = {} }: VolumeUnderTest): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(good).filter(([name]) => !secret.includes(name)));
}

export async function attach(subject: VolumeUnderTest, name: string, attachmentId: string, facts: Partial<AttachRequest> = {}) {
  const given = separated(subject, subject.options?.base ?? {});
  return subject.driver.attach({ name, attachmentId, readOnly: false, ...given, ...facts }, subject.ctx);
}

export async function attachAndMount(
  subject: VolumeUnderTest,
  name: string,
  attachmentId: string,
  facts: Partial<AttachRequest> = {},
  { last = true }: { readonly last?: boolean } = {},
): Promise<MountedVolume> {
  assert.ok(subject.mount);
  const { attachment } = await attach(subject, name, attachmentId, facts);
  const mounted = await subject.mount(attachment);
  const { context } = attachment;
  return {
    path: mounted.path,
    [Symbol.asyncDispose]: async () => {
      await mounted[Symbol.asyncDispose]();
      const request = { name, attachmentId, last, ...(context === undefined ? {} : { context }) };
      await subject.driver.detach(request, subject.ctx);
    },
  };
}

export async function names({ driver, ctx }: VolumeUnderTest): Promise<readonly string[]> {
  return (await Array.fromAsync(driver.list({}, ctx))).map(({ name }) => name).toSorted();
}

export async function refuses(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, { code });
}
