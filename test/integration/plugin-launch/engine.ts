import { Stage } from './stage.ts';

/** An engine with one plugin, to be killed. */
const stage = new Stage();
const plugin = await stage.launch('(sleep 1000 &); while read -r _; do :; done; echo yes >drained; pkill sleep');
console.log(`launched ${stage.folder}`);
await plugin.exited;
