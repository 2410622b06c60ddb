import { codeOf, conflict, GantryError, notImplemented } from '@gantry/sdk';
import type { VolumeRecord } from './record.ts';

export function taken(doing: string, { name, driver }: VolumeRecord): Error {
  return conflict(`${doing} ${name}: conflict: volume name must be unique: driver "${driver}" already has volume "${name}"`);
}

export function lacking(driver: string, method: string): never {
  throw notImplemented(`volume driver ${driver} cannot ${method} volumes`);
}

/** Whether the driver said no; anything else may have been done. */
export function isCertain(error: unknown): boolean {
  return !['deadline_exceeded', 'cancelled', 'unavailable', 'internal', 'data_loss'].includes(codeOf(error));
}

/** The error with what was being done before its words; codes, hints and facts stay. */
export function named(error: unknown, doing: string): unknown {
  if (!GantryError.is(error) || error.message.startsWith(doing)) return error;
  return new GantryError(error.code, `${doing}: ${error.message}`, {
    cause: error,
    hint: error.hint,
    reason: error.reason,
    facts: error.facts,
  });
}
