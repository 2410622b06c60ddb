import { invalidArgument } from '../errors.ts';
import { pathMatcher } from './path-match.ts';

/** Whether a path, relative and with forward slashes, is left out. */
export interface Ignores {
  (path: string): boolean;
  /** Whether something below a folder that is left out may be taken in again. */
  readonly hasExceptions: boolean;
}

const mostPatterns = 10_000;
const longestPattern = 4096;

/** The patterns of a .dockerignore: a byte order mark, comments at the beginning of a line and empty lines say nothing. */
export function readIgnoreFile(text: string): readonly string[] {
  return text
    .replace(/^\u{FEFF}/u, '')
    .split('\n')
    .map((line) => (line.startsWith('#') ? '' : line.trim()))
    .filter((line) => line !== '');
}

/**
 * Docker's patterns: of those that match a path or a folder above it the last one decides, `!` takes in again, a segment of two stars stands
 * for any number of folders, the rest is Go's path.Match by segments. Takes time in proportion to patterns and path, whatever they are.
 */
export function ignores(patterns: readonly string[]): Ignores {
  if (patterns.length > mostPatterns) throw invalidArgument(`${patterns.length} patterns, at most ${mostPatterns}`);
  const rules = patterns.flatMap((pattern) => ruleOf(pattern.trim()));
  const isIgnored = (path: string): boolean => {
    const parts = path.split('/');
    let isLeftOut = false;
    for (const rule of rules) if (rule.isException === isLeftOut && rule.matches(parts)) isLeftOut = !rule.isException;
    return isLeftOut;
  };
  return Object.assign(isIgnored, { hasExceptions: rules.some(({ isException }) => isException) });
}

interface Rule {
  readonly isException: boolean;
  /** Whether the path or a folder above it fits. */
  matches(parts: readonly string[]): boolean;
}

function ruleOf(pattern: string): readonly Rule[] {
  const isException = pattern.startsWith('!');
  const clean = cleaned(isException ? pattern.slice(1).trim() : pattern);
  if (isException && clean === '') throw invalidArgument('illegal exclusion pattern: "!"');
  if (clean === '' || clean === '.') return [];
  if (clean.length > longestPattern) throw invalidArgument(`a pattern of ${clean.length} characters, at most ${longestPattern}`);
  const segments = clean.split('/').map((segment) => (segment === '**' ? ('any' as const) : segmentMatcher(segment, pattern)));
  return [{ isException, matches: (parts) => fits(segments, parts) }];
}

type Segment = 'any' | ((part: string) => boolean);

function segmentMatcher(segment: string, pattern: string): (part: string) => boolean {
  const matcher = pathMatcher(segment.replaceAll(/\*{2,}/g, '*'));
  if (matcher === undefined) throw invalidArgument(`syntax error in pattern ${JSON.stringify(pattern.slice(0, 200))}`);
  return matcher;
}

/** Which numbers of leading segments fit the parts so far: one step for each part, as a machine without memory of the way does it. */
function fits(segments: readonly Segment[], parts: readonly string[]): boolean {
  let reached = closure(new Set([0]), segments);
  for (const part of parts) {
    const next = new Set<number>();
    for (const at of reached) {
      const segment = segments[at];
      if (segment === 'any') next.add(at === segments.length - 1 ? at + 1 : at);
      else if (segment?.(part) === true) next.add(at + 1);
    }
    reached = closure(next, segments);
    // A folder above that fits is enough.
    if (reached.has(segments.length)) return true;
  }
  return false;
}

/** Two stars may stand for nothing, but at the end for something. */
function closure(reached: Set<number>, segments: readonly Segment[]): Set<number> {
  for (const at of reached) if (segments[at] === 'any' && at < segments.length - 1) reached.add(at + 1);
  return reached;
}

/** Go's filepath.Clean without a leading slash. */
function cleaned(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}
