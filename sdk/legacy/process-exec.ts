import { programModule } from './program.ts';
import { serveUntilAsked } from './until-asked.ts';

/** The program of a packed plugin that is a program itself (`entry.exec`): it is started from here. */
await serveUntilAsked(async (dir, manifest) => programModule(dir, manifest));
