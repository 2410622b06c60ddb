import { invalidArgument } from '@gantry/sdk';
import type { Filters, Image } from '@gantry/sdk/engine';
import { pathMatcher } from '@gantry/sdk/builder';
import { momentOf } from '../support/index.ts';
import { familiarName, familiarText, parseReference } from './reference.ts';

const listKeys = ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until'];
const pruneKeys = ['dangling', 'label', 'label!', 'until'];

export function checkFilters(filters: Filters, verb: 'list' | 'prune'): void {
  const known = verb === 'list' ? listKeys : pruneKeys;
  for (const key of Object.keys(filters)) if (!known.includes(key)) throw invalidArgument(`invalid filter '${key}'`);
}

/** What `dangling` asks for; undefined when it is not there. */
export function danglingOf({ dangling = [] }: Filters): boolean | undefined {
  const claims = new Set(dangling.map((value) => ({ 1: true, true: true, 0: false, false: false })[value]));
  const [claim] = claims;
  if (claims.size > 1 || claims.has(undefined)) throw invalidArgument(`invalid filter 'dangling=[${dangling.join(' ')}]'`);
  return claim;
}

/** Whether an image has the labels and the age that the filters ask for. `createdOf` gives an image's time by what a user calls it. */
export function imageFilter(filters: Filters, createdOf: (image: string) => number): (image: Image) => boolean {
  const { before = [], since = [], label = [], 'label!': unwanted = [] } = filters;
  const earlier = [...before.map(createdOf), ...untilOf(filters)];
  const later = since.map(createdOf);
  return (image) => {
    const created = createdMs(image);
    const labels = image.config.config?.Labels ?? {};
    return (
      earlier.every((limit) => created < limit) &&
      later.every((limit) => created > limit) &&
      label.every((wanted) => hasLabel(labels, wanted)) &&
      !unwanted.some((wanted) => hasLabel(labels, wanted))
    );
  };
}

/** Before which moment; one at most. */
function untilOf({ until = [] }: Filters): readonly number[] {
  if (until.length > 1) throw invalidArgument('more than one until filter specified');
  return until.map((text) => momentOf(text) ?? refuseTime(text));
}

function refuseTime(text: string): never {
  throw invalidArgument(`failed to parse value as time or duration: ${JSON.stringify(text.slice(0, 80))}`);
}

/** Of canonical references those that one of the patterns means, as `docker images PATTERN` does: with the tag or without. */
export function referenceFilter({ reference: patterns = [] }: Filters): (reference: string) => boolean {
  const matchers = patterns.map((pattern) => {
    const matcher = pattern.length > 512 ? undefined : pathMatcher(pattern);
    if (matcher === undefined) throw invalidArgument(`invalid filter 'reference=${pattern.slice(0, 80)}': syntax error in pattern`);
    return matcher;
  });
  if (matchers.length === 0) return () => true;
  return (text) => {
    const reference = parseReference(text);
    return matchers.some((matches) => matches(familiarText(reference)) || matches(familiarName(reference)));
  };
}

/** Of an image that does not say when it was made: long ago. */
export function createdMs({ created }: Pick<Image, 'created'>): number {
  const time = Date.parse(created);
  return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}
