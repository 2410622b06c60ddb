import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxRootfs } from '../support/images/busybox.ts';
import type { BigImage } from './big-image.ts';

/** What this machine needs for the same work without an engine, in ms. Each is measured next to the scenario that is held against it. */
export class Floors {
  readonly #folder: string;
  readonly #runtime = ['/usr/bin/crun', '/usr/sbin/runc'].find((path) => existsSync(path)) ?? 'runc';

  constructor(folder: string) {
    this.#folder = folder;
    busyboxRootfs(join(folder, 'bundle/rootfs'));
  }

  /** `crun run` of a bundle that ends at once. A loop in the shell, so that starting processes from here does not count. */
  run(count: number): readonly number[] {
    this.#writeConfig(['/bin/true']);
    return this.#loop(count, `${this.#runtime} run --bundle ${this.#bundle} floor-$$`);
  }

  exec(count: number): readonly number[] {
    this.#writeConfig(['/bin/sleep', '1000']);
    execFileSync(this.#runtime, ['run', '--detach', '--bundle', this.#bundle, 'floor-exec'], { stdio: 'ignore' });
    try {
      return this.#loop(count, `${this.#runtime} exec floor-exec /bin/true`);
    } finally {
      execFileSync(this.#runtime, ['delete', '--force', 'floor-exec']);
    }
  }

  /** `tar -x` of the layers, which lie there as files; what is left in the page cache is not waited for, as everybody measures it. */
  unpack({ path, layers }: BigImage): number {
    const split = join(this.#folder, 'layers');
    if (!existsSync(split)) {
      mkdirSync(split);
      execFileSync('tar', ['-xf', path, '-C', split]);
    }
    const target = join(this.#folder, 'unpacked');
    const command = layers
      .map((layer, index) => `mkdir -p ${target}/${index} && tar -xpf ${split}/${layer} -C ${target}/${index}`)
      .join(' && ');
    const spent = timed(command);
    rmSync(target, { recursive: true });
    execFileSync('sync');
    return spent;
  }

  /** `cat` of the archive into a file. */
  copy({ path }: BigImage): number {
    const target = join(this.#folder, 'copy');
    const spent = timed(`cat ${path} > ${target}`);
    rmSync(target);
    return spent;
  }

  /** The runtime alone, running a script whose output goes into a file. */
  output(script: string, count: number): readonly number[] {
    this.#writeConfig(['/bin/sh', '-c', script]);
    const target = join(this.#folder, 'output');
    return this.#repeat(count, `${this.#runtime} run --bundle ${this.#bundle} floor-$$ > ${target}`, target);
  }

  /** As `output`, but through the monitor that containers have, whose log is the file; and no engine. From its start until it has written the exit code. */
  monitored(script: string, count: number): readonly number[] {
    this.#writeConfig(['/bin/sh', '-c', script]);
    const target = join(this.#folder, 'monitored');
    const flags = `--api-version 1 --cid floor --cuuid floor --runtime ${this.#runtime} --bundle ${this.#bundle} --no-new-keyring --full-attach --no-sync-log`;
    const places = `--container-pidfile ${target}/pid --exit-dir ${target} --persist-dir ${target} --log-path k8s-file:${target}/log --log-size-max ${8 << 20}`;
    const command = [
      `mkdir ${target}`,
      `conmon ${flags} ${places} --log-level error < /dev/null > /dev/null`,
      `until [ -s ${target}/pid ]; do sleep 0.001; done`,
      `${this.#runtime} start floor`,
      `until [ -s ${target}/floor ]; do sleep 0.002; done`,
    ].join(' && ');
    return Array.from({ length: count }, () => {
      const spent = timed(command);
      execFileSync(this.#runtime, ['delete', '--force', 'floor']);
      rmSync(target, { recursive: true });
      return spent;
    });
  }

  /** `cat` of a file into a pipe. */
  read(path: string, count: number): readonly number[] {
    return Array.from({ length: count }, () => timed(`cat ${path} | cat > /dev/null`));
  }

  /** `find` over what an archive holds, telling kind, size and time of each. */
  find(archive: Buffer, count: number): readonly number[] {
    const folder = this.#unpacked(archive);
    const spent = Array.from({ length: count }, () => timed(`find ${folder} -printf '%y %s %T@ %p\\n' > /dev/null`));
    rmSync(folder, { recursive: true });
    return spent;
  }

  /** A tar of what an archive holds, written to the disk, and unpacked beside it. */
  repack(archive: Buffer, count: number): readonly number[] {
    const folder = this.#unpacked(archive);
    const target = join(this.#folder, 'repacked');
    const command = `mkdir ${target} && tar -C ${folder} -cf ${target}/tar . && mkdir ${target}/tree && tar -xf ${target}/tar -C ${target}/tree && sync -f ${target}`;
    const spent = this.#repeat(count, command, target);
    rmSync(folder, { recursive: true });
    return spent;
  }

  /** `tar -x` of an archive into a new folder. */
  unpackArchive(archive: Buffer, count: number): readonly number[] {
    const file = join(this.#folder, 'archive');
    const folder = join(this.#folder, 'unpacked');
    writeFileSync(file, archive);
    return this.#repeat(count, `mkdir ${folder} && tar -xf ${file} -C ${folder}`, folder);
  }

  /** `tar -c` of what an archive holds. */
  packArchive(archive: Buffer, count: number): readonly number[] {
    const folder = this.#unpacked(archive);
    const target = join(this.#folder, 'packed');
    const spent = this.#repeat(count, `tar -C ${folder} -c . | cat > ${target}`, target);
    rmSync(folder, { recursive: true });
    return spent;
  }

  /** `cp -a` of what archives hold together, each time it is asked for; disposing removes them. */
  copying(archives: readonly Buffer[]): Disposable & { readonly copy: () => number } {
    const folder = this.#unpacked(...archives);
    const target = join(this.#folder, 'copied');
    return {
      copy: () => this.#repeat(1, `cp -a --reflink=auto ${folder} ${target}`, target)[0] ?? Number.NaN,
      [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
    };
  }

  /** `rm -r` of the layers. */
  removal(image: BigImage, count: number): readonly number[] {
    const folder = join(this.#folder, 'unpacked');
    return Array.from({ length: count }, () => {
      mkdirSync(folder);
      for (const layer of image.layers) execFileSync('sh', ['-c', `tar -xOf ${image.path} ${layer} | tar -x -C ${folder}`]);
      execFileSync('sync');
      return timed(`rm -r ${folder}`);
    });
  }

  /** Each time without what the time before left. */
  #repeat(count: number, command: string, target: string): readonly number[] {
    return Array.from({ length: count }, () => {
      const spent = timed(command);
      rmSync(target, { recursive: true });
      return spent;
    });
  }

  #unpacked(...archives: readonly Buffer[]): string {
    const folder = join(this.#folder, 'changed');
    mkdirSync(folder);
    for (const archive of archives) execFileSync('tar', ['-xf', '-', '-C', folder], { input: archive });
    return folder;
  }

  get #bundle(): string {
    return join(this.#folder, 'bundle');
  }

  #loop(count: number, command: string): readonly number[] {
    const rounds = 5;
    return Array.from({ length: count }, () => timed(`for i in $(seq ${rounds}); do ${command} || exit 1; done`) / rounds);
  }

  #writeConfig(args: readonly string[]): void {
    mkdirSync(this.#bundle, { recursive: true });
    rmSync(join(this.#bundle, 'config.json'), { force: true });
    execFileSync(this.#runtime, ['spec'], { cwd: this.#bundle });
    const config = JSON.parse(readFileSync(join(this.#bundle, 'config.json'), 'utf8')) as { process: object; linux: object };
    config.process = { ...config.process, terminal: false, args };
    config.linux = { ...config.linux, cgroupsPath: '/gantry-floor/it' };
    writeFileSync(join(this.#bundle, 'config.json'), JSON.stringify(config));
  }
}

function timed(command: string): number {
  const began = performance.now();
  execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] });
  return performance.now() - began;
}
