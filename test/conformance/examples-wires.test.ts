import { join } from 'node:path';
import { conformance } from '@gantry/sdk/conformance';

const examples = join(import.meta.dirname, '../examples');

// Behind the wires that the engine uses: nothing of a driver may depend on being in the caller's process.
conformance(join(examples, 'folders'), { placements: ['worker'], only: ['plugin.*', 'volume.restart.*', 'volume.create.*'] });
conformance(join(examples, 'folders'), { placements: ['process'], only: ['plugin.*', 'volume.restart.*'] });
conformance(join(examples, 'overlay-mini'), { placements: ['worker'], only: ['graph.*'] });
conformance(join(examples, 'overlay-mini'), { placements: ['process'], only: ['plugin.restart.*'] });
conformance(join(examples, 'mini-bridge'), { placements: ['worker'], only: ['network.*'] });
