import { invalidArgument } from '@gantry/sdk';
import type { ImageFile } from '@gantry/sdk/engine';
import { exporterHeaders, fileSend } from './client.ts';
import { goModeOf, packets, type Packet } from './files.ts';
import { decode, encode } from './messages.ts';
import type { Session, SessionCall } from './session.ts';

const chunkBytes = 32 * 1024;

/** Files into the client's folder for the exporter of this number: all are told first, then the client asks for contents. */
export async function sendFiles(
  session: Session,
  { exporter, files }: { readonly exporter: number; readonly files: readonly ImageFile[] },
  signal: AbortSignal,
): Promise<void> {
  using call = session.open(fileSend, exporterHeaders(exporter), signal);
  for (const file of files) {
    call.send(encode('Packet', { type: packets.stat, stat: statOf(file) }));
    await call.taken();
  }
  call.send(encode('Packet', { type: packets.stat }));
  for await (const message of call) {
    const { type, ID: id, data } = decode<Packet>('Packet', message);
    if (type === packets.error) throw invalidArgument(`the client cannot write the files: ${Buffer.from(data).toString().slice(0, 1000)}`);
    if (type === packets.finish) {
      call.send(encode('Packet', { type: packets.finish }));
      call.end();
    } else if (type === packets.request) await sendContent(call, files[id], id);
  }
}

/** An empty packet ends a content. */
async function sendContent(call: SessionCall, file: ImageFile | undefined, id: number): Promise<void> {
  if (file === undefined) throw invalidArgument(`the client asks for file ${id}, which there is not`);
  for await (const chunk of file.content())
    for (let at = 0; at < chunk.length; at += chunkBytes) {
      call.send(encode('Packet', { type: packets.data, ID: id, data: chunk.subarray(at, at + chunkBytes) }));
      await call.taken();
    }
  call.send(encode('Packet', { type: packets.data, ID: id }));
}

function statOf({ name, kind, target, mode, uid, gid, sizeBytes, mtimeSeconds }: ImageFile): object {
  return {
    path: name,
    mode: goModeOf(kind, mode),
    uid,
    gid,
    size: kind === 'file' ? sizeBytes : 0,
    modTime: String(BigInt(mtimeSeconds) * 1_000_000_000n),
    linkname: target,
  };
}
