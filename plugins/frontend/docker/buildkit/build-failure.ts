import { status as grpcStatus } from '@grpc/grpc-js';
import { codeOf, firstCause, GantryError } from '@gantry/sdk';
import { type FailurePlace, failurePlace } from '@gantry/sdk/builder';
import { textOf } from '../status.ts';
import { type StatusDetail, statusError } from './grpc-status.ts';

/**
 * What went wrong with a build, in BuildKit's words and with what its clients show of it: the lines of the Dockerfile (errdefs.Source), the
 * vertex that failed, and the command that did (errdefs.Solve). Details are JSON, as their type's names say.
 */
export function buildFailure(thrown: unknown, vertex: string | undefined): unknown {
  const error = firstCause(thrown);
  const isOfBuild = failurePlace(error) !== undefined || codeOf(error) === 'invalid_argument';
  // Their clients put the name of any other code before the words.
  return isOfBuild
    ? statusError({ code: grpcStatus.UNKNOWN, message: failureText(error), details: detailsOf(error, vertex) }, error)
    : error;
}

/** Without the place, which is shown by its lines; with the words by which the end of a command is known. */
export function failureText(thrown: unknown): string {
  const error = firstCause(thrown);
  const [{ command, exitCode } = {}, place] = [endOf(error), failurePlace(error)];
  const hint = GantryError.is(error) && error.hint !== undefined ? `: ${error.hint}` : '';
  if (command !== undefined)
    return `process ${JSON.stringify(command.join(' '))} did not complete successfully: exit code: ${exitCode}${hint}`;
  return place === undefined ? textOf(error) : `${place.problem}${hint}`;
}

function endOf(error: unknown): { readonly command: readonly string[]; readonly exitCode: number } | undefined {
  const { command, exitCode } = GantryError.is(error) ? error.facts : {};
  if (!Array.isArray(command) || typeof exitCode !== 'number') return undefined;
  return { command: command.map(String), exitCode };
}

function detailsOf(error: unknown, vertex: string | undefined): readonly StatusDetail[] {
  const [end, place] = [endOf(error), failurePlace(error)];
  return [
    ...(vertex === undefined ? [] : [detail('Vertex', { digest: vertex })]),
    ...(end === undefined ? [] : [detail('Solve', { op: { exec: { meta: { args: end.command } } } })]),
    ...(place === undefined || place.text === '' ? [] : [detail('Source', sourceOf(place))]),
  ];
}

function sourceOf({ file, firstLine, lastLine, text }: FailurePlace): object {
  const data = Buffer.from(shortened(text, { firstLine, lastLine })).toString('base64');
  return { info: { filename: file, data, language: 'Dockerfile' }, ranges: [{ start: { line: firstLine }, end: { line: lastLine } }] };
}

/** Of a long file only the lines that are shown, where they are: it travels in a header. */
function shortened(text: string, { firstLine, lastLine }: { readonly firstLine: number; readonly lastLine: number }): string {
  if (text.length <= mostTextLength) return text;
  const [from, to] = [firstLine - 1 - shownAround, Math.min(lastLine, firstLine + mostLines) + shownAround];
  return text
    .split('\n')
    .map((line, at) => (at >= from && at < to ? line.slice(0, mostLineLength) : ''))
    .join('\n');
}
const mostTextLength = 64 * 1024;
const [shownAround, mostLines, mostLineLength] = [6, 200, 300];

function detail(name: string, value: object): StatusDetail {
  return { typeUrl: `github.com/moby/buildkit/errdefs.${name}+json`, value: Buffer.from(JSON.stringify(value)) };
}
