import { closeSync, constants, openSync } from 'node:fs';
import { isErrno } from '../errno.ts';
import { ioctl } from '../ioctl.ts';

/** A file as a block device: loop(4). */
export interface LoopDevice extends Disposable {
  /** "/dev/loop3" */
  readonly path: string;
}

/**
 * Makes the open file a block device (Linux 5.8). It goes away by itself when its last user has: after `dispose`, that is what was mounted of it meanwhile. Throws
 * ENOENT where the kernel has no loop devices.
 */
export function attachLoop(file: number, { readOnly = false }: { readonly readOnly?: boolean } = {}): LoopDevice {
  const control = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    for (let attempt = 1; ; attempt++) {
      // The call takes no argument; what is given is not looked at.
      const path = `/dev/loop${ioctl(control, 0x4c82, Buffer.alloc(8), 'LOOP_CTL_GET_FREE')}`;
      const device = openSync(path, readOnly ? constants.O_RDONLY : constants.O_RDWR);
      try {
        ioctl(device, 0x4c0a, configuration(file, readOnly), 'LOOP_CONFIGURE');
        return { path, [Symbol.dispose]: () => closeSync(device) };
      } catch (error) {
        closeSync(device);
        // Somebody else took it between the two calls.
        if (!isErrno(error, 'EBUSY') || attempt === 64) throw error;
      }
    }
  } finally {
    closeSync(control);
  }
}

/** struct loop_config */
function configuration(file: number, readOnly: boolean): Buffer {
  const config = Buffer.alloc(304);
  config.writeUInt32LE(file, 0);
  config.writeUInt32LE(4 /* AUTOCLEAR */ | (readOnly ? 1 : 0), 8 + 52);
  return config;
}
