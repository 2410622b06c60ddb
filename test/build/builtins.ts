const importOfBuiltin = /^import (?:\* as )?([\w$]+|\{[^}]*\}) from ("node:[\w/]+");$/gm;

/**
 * Node's modules by require() instead of import, at the top of the file as imports are: import reads every export of a module, also those
 * that are loaded when first read, and one of node:http brings 20 ms of fetch().
 */
export function requireBuiltins(text: string): string {
  const required: string[] = [];
  const rest = text.replaceAll(importOfBuiltin, (line, names: string, module: string) => {
    if (/\bdefault as\b/.test(names)) return line;
    required.push(`const ${names.replaceAll(' as ', ': ')} = require(${module});\n`);
    return '';
  });
  return `${banner}${required.join('')}${rest}`;
}

// Packages from before ES modules need it too.
const banner = `import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);\n`;
