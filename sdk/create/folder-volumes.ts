import type { Privileges } from '../manifest.ts';

/** What a driver needs that keeps what containers wrote, and deletes it. */
export const folderPrivileges = { user: 'root', capabilities: ['CAP_DAC_OVERRIDE', 'CAP_FOWNER'] } as const satisfies Privileges;

/** For its README. */
export const folderNote = `It asks for user 0 with CAP_DAC_OVERRIDE and CAP_FOWNER: containers write as whom they like, and who removes a volume removes that too. A driver
that keeps no files of its own, such as one that describes a mount of a server's, needs none of it: take \`privileges\` out.`;
