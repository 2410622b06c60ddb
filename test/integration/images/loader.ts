import { busyboxImage } from '../../support/images/busybox.ts';
import { RoomUnderTest } from './room.ts';

/** Run by crash.test.ts with failpoints: loads busybox until it works, and tells what each try left. */
const [, , root = ''] = process.argv;
await using room = RoomUnderTest.open({ root });
const told: unknown[] = [];
for (let tries = 0; tries < 2; tries += 1) {
  try {
    told.push({ loaded: await room.load(busyboxImage().archive), left: await room.left() });
    break;
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    told.push({ code, message, left: await room.left(), images: (await room.images.list({ all: true })).length });
  }
}
process.stdout.write(JSON.stringify(told));
