// Plain JavaScript that old versions of Node can read: it says what is needed before anything else is loaded.
import module from 'node:module';

const neededMajor = 24;

/**
 * Runs `start` under a Node that is new enough: this one, or the one that the checkout carries. Else says which Node is needed and exits with 1.
 * @param {string} program
 * @param {string} script
 * @param {() => Promise<void>} start
 */
export async function guard(program, script, start) {
  if (Number(process.versions.node.split('.')[0]) >= neededMajor) {
    hideExperimentalWarnings();
    module.enableCompileCache();
    await start();
  } else if (!(await runPinned(script))) {
    process.stderr.write(
      `${program}: needs Node.js ${neededMajor} or later, and this is ${process.versions.node}\nhint: install it from https://nodejs.org, or run npm install in the checkout\n`,
    );
    process.exitCode = 1;
  }
}

/** False when the checkout carries no Node. The terminal sends its own signals to both of us: those are left to the child. */
async function runPinned(/** @type {string} */ script) {
  // Only here: loading them takes longer than everything else in this file.
  const [{ existsSync }, { spawn }, { fileURLToPath }] = await Promise.all([
    import('node:fs'),
    import('node:child_process'),
    import('node:url'),
  ]);
  const pinned = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));
  if (!existsSync(pinned)) return false;
  const child = spawn(pinned, [script, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTSTP']) process.on(signal, () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
  return true;
}

// node:sqlite and type stripping announce themselves on every start.
function hideExperimentalWarnings() {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`);
  });
}
