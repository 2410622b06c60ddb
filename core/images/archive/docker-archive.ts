import { invalidArgument } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import { digestOf, isDigest } from '../../content/index.ts';
import { parseImageConfig } from '../config/image-config.ts';
import { asList, asObject, asString } from '../json/shape.ts';
import { parseReference, type Reference, withDefaultTag } from '../reference.ts';
import { withManifests, withPlatforms } from './beside.ts';
import type { FoundImage } from './found-image.ts';
import type { Members } from './members.ts';

/**
 * The images of what `docker save` writes, in its old layouts (`<id>.json`, `<id>/layer.tar`) and its new one (`blobs/sha256/…`):
 * manifest.json names their configs, tags and layers; of one for several platforms it names one. Refused as a whole with `invalid_argument` when anything in it is wrong.
 */
export function readDockerArchive(members: Members): readonly FoundImage[] {
  const entries = asList(members.document('manifest.json'), 'manifest.json');
  const images = withKnownParents(entries.map((entry, at) => readEntry(members, entry, `manifest.json[${at}]`)));
  return withPlatforms(members, withManifests(members, images));
}

function readEntry(members: Members, value: unknown, where: string): FoundImage {
  const entry = asObject(value, where);
  const configName = asString(entry['Config'], `${where}.Config`);
  const configBytes = members.bytes(configName, `${where}.Config`);
  const config = parseImageConfig(configBytes, configName);
  const layers = asList(entry['Layers'], `${where}.Layers`).map((name, at) => asString(name, `${where}.Layers[${at}]`));
  const diffIds = config.rootfs.diff_ids;
  if (layers.length !== diffIds.length) {
    throw invalidArgument(`${where} has ${layers.length} layers, its config ${configName} has ${diffIds.length}`);
  }
  for (const [at, name] of layers.entries()) members.regular(name, `${where}.Layers[${at}]`);
  const tags = entry['RepoTags'] ?? [];
  const references = asList(tags, `${where}.RepoTags`).map((tag, at) => readTag(tag, `${where}.RepoTags[${at}]`));
  const parent = entry['Parent'];
  return { id: digestOf(configBytes), configBytes, config, layers, references, ...(isDigest(parent) ? { parent } : {}) };
}

function readTag(value: unknown, where: string): Reference {
  const reference = parseReference(asString(value, where));
  if (reference.digest !== undefined) throw invalidArgument(`${where} is a digest, not a tag`);
  return withDefaultTag(reference);
}

/** A parent counts only when it is in the same archive, and then it must really begin like its child. */
function withKnownParents(images: readonly FoundImage[]): readonly FoundImage[] {
  const byId = new Map(images.map((image) => [image.id, image]));
  return images.map((image) => {
    const { parent, ...orphan } = image;
    const found = parent === undefined || parent === image.id ? undefined : byId.get(parent);
    if (found === undefined) return orphan;
    if (!beginsLike(image.config, found.config)) throw invalidArgument(`image ${image.id} does not descend from its parent ${found.id}`);
    return image;
  });
}

function beginsLike(child: ImageConfig, parent: ImageConfig): boolean {
  const [own, earlier] = [child.history ?? [], parent.history ?? []];
  return (
    own.length > earlier.length &&
    earlier.every((entry, at) => entry.created === own[at]?.created && entry.created_by === own[at]?.created_by) &&
    parent.rootfs.diff_ids.every((diffId, at) => diffId === child.rootfs.diff_ids[at])
  );
}
