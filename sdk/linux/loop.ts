import { closeSync, constants, openSync } from 'node:fs';
import { declare } from './calls.ts';
import { checked, errnoError } from './errno.ts';

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
      const path = `/dev/loop${checked(callIoctl(control, 0x4c82 /* LOOP_CTL_GET_FREE */, null), 'LOOP_CTL_GET_FREE')}`;
      const device = openSync(path, readOnly ? constants.O_RDONLY : constants.O_RDWR);
      if (callIoctl(device, 0x4c0a /* LOOP_CONFIGURE */, configuration(file, readOnly)) === 0)
        return { path, [Symbol.dispose]: () => closeSync(device) };
      const error = errnoError('LOOP_CONFIGURE', path);
      closeSync(device);
      // Somebody else took it between the two calls.
      if (error.code !== 'EBUSY' || attempt === 64) throw error;
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

const callIoctl = declare<(file: number, request: number, data: Buffer | null) => number>('ioctl', 'int', ['int', 'ulong', 'void *']);
