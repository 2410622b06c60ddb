import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attachment, Ctx } from '../types/index.ts';
import type { GraphUnderTest, MountedSnapshot, SnapshotRef } from './conformance-subject.ts';
import type { GraphDriver, Snapshot } from './contract.ts';

/** Changes a tree; the path ends without a slash. */
export type Change = (root: string) => void;

export interface Wanted extends SnapshotRef {
  readonly readOnly?: boolean;
  readonly view?: 'merged' | 'changes';
  readonly attachmentId?: string;
  readonly ephemeral?: boolean;
}

export function prepare({ driver, ctx }: GraphUnderTest, key: string, chain: readonly string[]): ReturnType<GraphDriver['prepare']> {
  return driver.prepare({ key, chain }, ctx);
}

export async function attach({ driver, ctx }: GraphUnderTest, wanted: Wanted): Promise<Attachment> {
  const { key, chain, readOnly = false, view = 'merged', attachmentId = 'test', ephemeral } = wanted;
  const request = { key, chain, readOnly, view, attachmentId, ...(ephemeral === undefined ? {} : { ephemeral }) };
  return (await driver.attach(request, ctx)).attachment;
}

/** Attached and mounted; disposing takes the mount down and detaches, as the engine does. */
export async function show(subject: GraphUnderTest, wanted: Wanted): Promise<MountedSnapshot> {
  assert.ok(subject.mount);
  const { key, attachmentId = 'test' } = wanted;
  const { context, ...attachment } = await attach(subject, wanted);
  const mounted = await subject.mount({ ...attachment, ...(context === undefined ? {} : { context }) });
  return {
    path: mounted.path,
    [Symbol.asyncDispose]: async () => {
      await mounted[Symbol.asyncDispose]();
      await subject.driver.detach({ key, attachmentId, ...(context === undefined ? {} : { context }) }, subject.ctx);
    },
  };
}

export async function change(subject: GraphUnderTest, wanted: Wanted, work: Change): Promise<void> {
  await using tree = await show(subject, wanted);
  work(tree.path);
}

/** A committed snapshot. */
export async function layer(subject: GraphUnderTest, key: string, chain: readonly string[], work?: Change): Promise<void> {
  await prepare(subject, key, chain);
  if (work !== undefined) await change(subject, { key, chain }, work);
  await subject.driver.commit({ key, name: key, chain }, subject.ctx);
}

export async function list(driver: GraphDriver, ctx: Ctx): Promise<readonly Snapshot[]> {
  const found: Snapshot[] = [];
  for await (const snapshot of driver.list({}, ctx)) found.push(snapshot);
  return found.toSorted((left, right) => (left.key < right.key ? -1 : 1));
}

export async function refuses(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, { code });
}

/** What a driver may leave to the background, but not for ever. */
export async function eventually(what: string, test: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await test())) {
    if (performance.now() > deadline) assert.fail(what);
    await sleep(20);
  }
}
