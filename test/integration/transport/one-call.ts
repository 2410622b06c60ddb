import assert from 'node:assert/strict';
import { codeOf, GantryError } from '@gantry/sdk';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { driverContext, guard } from '../../../core/drivers/index.ts';
import { methodsOf } from '../../../core/drivers/methods.ts';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { reply, type ScriptedRegistry, sha256 } from '../../support/servers/scripted-registry.ts';

export const context = driverContext(quietLog);
export const type = 'application/vnd.docker.distribution.manifest.v2+json';
export const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, config: {}, layers: [] });
export const blob = Buffer.from('0123456789'.repeat(1000));
export const layer = { mediaType: 'x', digest: sha256(blob), size: blob.length };
export const atTag = 'GET /v2/acme/nfs/manifests/1';
export const atBlob = `GET /v2/acme/nfs/blobs/${layer.digest}`;
export const good = reply(200, manifest, { 'content-type': type });
export const ann: RegistryAuth = { username: 'ann', password: 'secret' };
export const quick = { answerTimeoutMs: 300, idleTimeoutMs: 300, attempts: 2, retryDelayMs: 1 };

interface Try {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly auth?: RegistryAuth;
  readonly offset?: number;
}

/** A driver that is used for one call. */
export async function using_<T>(work: (driver: RegistryDriver) => Promise<T>, settings: Try['settings'] = {}): Promise<T> {
  using driver = new RegistryDriver(settingsOf({ ...quick, ...settings }));
  return await work(guard(driver, methodsOf.transport, { label: 'transport driver registry' }));
}
export function resolve({ host }: ScriptedRegistry, reference = '1', { settings, auth }: Try = {}): Promise<unknown> {
  return using_((driver) => driver.resolve({ host, repository: 'acme/nfs', reference, auth }, context), settings);
}
export async function fetch({ host }: ScriptedRegistry, { offset = 0, auth }: Try = {}): Promise<Buffer> {
  return using_(async (driver) => {
    const parts: Buffer[] = [];
    for await (const part of driver.fetch({ host, repository: 'acme/nfs', descriptor: layer, offset, auth }, context))
      parts.push(Buffer.from(part));
    return Buffer.concat(parts);
  });
}
export function refuses(code: string, message: RegExp, reason?: string): (error: unknown) => true {
  return (error) => {
    assert.ok(GantryError.is(error), String(error));
    assert.match(error.message, message);
    assert.equal(codeOf(error), code, error.message);
    if (reason !== undefined) assert.equal(error.reason, reason);
    return true;
  };
}
