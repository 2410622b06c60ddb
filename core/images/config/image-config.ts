import { invalidArgument } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import { parseLogTime } from '@gantry/sdk/log';
import { isDigest } from '../../content/index.ts';
import { maxDepth } from '../../layers/index.ts';
import { parseDocument } from '../json/parse.ts';
import { anything, boolean, type Check, integer, list, map, object, optional, string } from '../json/shape.ts';

/**
 * An image's config (OCI image-spec, config.md) from bytes that somebody else wrote: every field that the engine or its front ends use has
 * the type they expect, there are as many layers as the history says or more, and it is for Linux. `invalid_argument`, naming the field.
 * `os` may be empty, which means linux. Unknown fields are kept.
 */
export function parseImageConfig(bytes: Uint8Array, what: string): ImageConfig {
  const document = parseDocument(bytes, what);
  const config = withoutNulls(checked(document, what));
  checkSystem(config, what);
  checkLayers(config, what);
  return config;
}

function checked(document: unknown, what: string): ImageConfig {
  if (isImageConfig(document, what)) return document;
  throw invalidArgument(`${what} is no image config`);
}

/** Throws where it is none. */
function isImageConfig(document: unknown, what: string): document is ImageConfig {
  imageConfig(document, what);
  return true;
}

/** Go writes null for empty lists, and leaves out what says nothing. */
function withoutNulls(config: ImageConfig): ImageConfig {
  return {
    ...config,
    architecture: config.architecture ?? '',
    os: (config.os ?? '') === '' ? 'linux' : config.os,
    config: config.config ?? {},
    rootfs: { ...config.rootfs, diff_ids: config.rootfs.diff_ids ?? [] },
    history: config.history ?? [],
  };
}

const time: Check = (value, where) => {
  string(value, where);
  if (parseLogTime(String(value)) === undefined)
    throw invalidArgument(`${where} ${JSON.stringify(String(value).slice(0, 60))} is no RFC 3339 time`);
};
const digest: Check = (value, where) => {
  if (!isDigest(value)) throw invalidArgument(`${where} is no digest: expected sha256: and 64 hex digits`);
};
const strings = optional(list(string));
const texts = optional(string);
const set = optional(map(anything));

const containerConfig = optional(
  object({
    ...Object.fromEntries(
      ['Hostname', 'Domainname', 'User', 'Image', 'WorkingDir', 'MacAddress', 'StopSignal'].map((name) => [name, texts] as const),
    ),
    ...Object.fromEntries(['Env', 'Cmd', 'Entrypoint', 'OnBuild', 'Shell'].map((name) => [name, strings] as const)),
    ...Object.fromEntries(
      ['AttachStdin', 'AttachStdout', 'AttachStderr', 'Tty', 'OpenStdin', 'StdinOnce', 'ArgsEscaped', 'NetworkDisabled'].map(
        (name) => [name, optional(boolean)] as const,
      ),
    ),
    ExposedPorts: set,
    Volumes: set,
    Labels: optional(map(string)),
    StopTimeout: optional(integer),
    Healthcheck: optional(
      object({
        Test: strings,
        ...Object.fromEntries(
          ['Interval', 'Timeout', 'Retries', 'StartPeriod', 'StartInterval'].map((name) => [name, optional(integer)] as const),
        ),
      }),
    ),
  }),
);

const imageConfig = object({
  architecture: texts,
  os: texts,
  'os.version': texts,
  variant: texts,
  created: optional(time),
  author: texts,
  comment: texts,
  docker_version: texts,
  config: containerConfig,
  rootfs: object({ type: string, diff_ids: optional(list(digest)) }),
  history: optional(
    list(object({ created: optional(time), created_by: texts, author: texts, comment: texts, empty_layer: optional(boolean) })),
  ),
});

function checkSystem({ os, rootfs }: ImageConfig, what: string): void {
  if (os !== 'linux') throw invalidArgument(`${what}: cannot use an image for ${os.slice(0, 40)} on linux`);
  if (rootfs.type !== 'layers') throw invalidArgument(`${what}.rootfs.type is not "layers"`);
}

function checkLayers({ rootfs, history }: ImageConfig, what: string): void {
  const layers = rootfs.diff_ids.length;
  if (layers > maxDepth) throw invalidArgument(`max depth exceeded: ${what} has ${layers} layers, at most ${maxDepth}`);
  const inHistory = (history ?? []).filter(({ empty_layer: isEmpty }) => isEmpty !== true).length;
  if (inHistory > layers) throw invalidArgument(`${what} has ${layers} layers but its history has ${inHistory}`);
}
