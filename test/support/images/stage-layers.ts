/** Stages two layers in the root given as argument, for tests that kill it half way. */
import { busyboxLayer } from './busybox.ts';
import { addImage, openLayers } from '../engine/layers-room.ts';
import { endOfArchive, entry } from './tar-builder.ts';

await using room = openLayers(process.argv[2] ?? '');
await addImage(room, [room.source(busyboxLayer()), room.source(Buffer.concat([entry('etc/added'), endOfArchive]))], 'overlay2');
