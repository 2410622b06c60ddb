import { readFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import type { Plugin } from 'esbuild';

/** Stands in the code for the way from the file it ended up in to the top of the package. */
const wayUp = '//way-up//';

/** In a bundle, `import.meta` is the bundle's. This makes it the source file's, as if each had been translated alone. */
export function keepPlaces(top: string): Plugin {
  return {
    name: 'keep places',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8');
        return source.includes('import.meta') ? { loader: 'ts', contents: withPlaces(source, relative(top, path)) } : undefined;
      });
    },
  };
}

/** To be called on each output, with its path in the package. */
export function settlePlaces(name: string, text: string): string {
  const way = relative(dirname(name), '.');
  return text.replaceAll(wayUp, `${way}/`);
}

function withPlaces(source: string, name: string): string {
  const file = JSON.stringify(`${wayUp}${name.replace(/\.ts$/, '.js')}`);
  const folder = JSON.stringify(`${wayUp}${dirname(name)}`);
  return source
    .replaceAll(/(new URL\('[^']+)\.ts'(?=, import\.meta\.url)/g, "$1.js'")
    .replaceAll('import.meta.url', `new URL(${file}, import.meta.url).href`)
    .replaceAll('import.meta.dirname', `process.getBuiltinModule('node:path').join(import.meta.dirname, ${folder})`);
}
