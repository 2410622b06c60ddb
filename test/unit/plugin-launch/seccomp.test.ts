import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilityNames } from '@gantry/sdk/linux';
import { seccompTable } from '../../../core/lifecycle/oci-spec/seccomp/table.ts';
import { seccompProgram } from '../../../core/plugin-launch/seccomp/program.ts';
import { deniedUnless } from '@gantry/sdk/serve/denied-calls';

const machines = {
  x64: { audit: 0xc000003e, clone: 56, socket: 41, personality: 135, read: 0 },
  arm64: { audit: 0xc00000b7, clone: 220, socket: 198, personality: 92, read: 63 },
} as const;
const allow = 'allow';

for (const arch of ['x64', 'arm64'] as const) {
  const { audit, clone, socket, personality, read } = machines[arch];
  const answers = (
    calls: readonly (readonly [number: number, argument?: number])[],
    capabilities: readonly string[] = [],
  ): readonly (number | string)[] => {
    const program = seccompProgram(
      capabilities.map((name) => capabilityNames.indexOf(name)),
      arch,
    );
    return calls.map(([number, argument = 0]) => runFilter(program, { number, audit, argument }));
  };

  test(`seccompProgram() for ${arch} allows what is not in the table`, () => {
    assert.deepEqual(answers([[read], [clone, 0x3d0f00], [clone, 17], [socket, 1], [socket, 16], [466]]), Array(6).fill(allow));
  });

  test(`seccompProgram() for ${arch} denies all that is in the table, unless a capability allows it`, () => {
    for (const { capabilities, calls } of deniedUnless) {
      const numbers = calls.flatMap(({ [arch]: number }) => (number === undefined ? [] : [[number] as const]));
      assert.deepEqual(new Set(answers(numbers)), new Set(numbers.length === 0 ? [] : [1]));
      if (numbers.length > 0) for (const name of capabilities) assert.deepEqual(new Set(answers(numbers, [name])), new Set([allow]), name);
    }
  });

  test(`seccompProgram() for ${arch} looks at arguments, and does not know what is new`, () => {
    const namespaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000].map((flag) => [clone, flag] as const);
    assert.deepEqual(new Set(answers(namespaces)), new Set([1]));
    assert.deepEqual(new Set(answers(namespaces, ['CAP_SYS_ADMIN'])), new Set([allow]));
    assert.deepEqual(
      answers([
        [socket, 38],
        [socket, 40],
        [socket, 39],
      ]),
      [1, 1, allow],
    );
    assert.deepEqual(answers([0, 8, 0x20000, 0x20008, 0xffffffff, 1, 0x40000].map((value) => [personality, value])), [
      allow,
      allow,
      allow,
      allow,
      allow,
      1,
      1,
    ]);
    assert.deepEqual(answers([[435], [467], [9999], [0x40000000]]), [38, 38, 38, 38]);
  });

  test(`seccompProgram() for ${arch} denies all calls of another architecture`, () => {
    assert.equal(runFilter(seccompProgram([], arch), { number: 1, audit: 0x40000003, argument: 0 }), 1);
  });
}

test('seccompProgram() denies nothing that every container may do, but for what traces other processes', () => {
  const everybody = new Set(
    seccompTable
      .filter(({ withCapability, minKernel }) => withCapability === undefined && minKernel === undefined)
      .flatMap(({ calls }) => calls.split(' ')),
  );
  assert.deepEqual(
    deniedUnless.flatMap(({ calls }) => calls).filter(({ name }) => everybody.has(name)),
    [],
  );
});

test('seccompProgram() refuses an architecture whose numbers it does not know', () => {
  assert.throws(() => seccompProgram([], 'riscv64'), { code: 'not_implemented' });
});

/** The few instructions of classic BPF that the filter has. */
function runFilter(
  program: Uint8Array,
  { number, audit, argument }: { readonly number: number; readonly audit: number; readonly argument: number },
): number | string {
  const code = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  const data: Readonly<Record<number, number>> = { 0: number, 4: audit, 16: argument };
  let accumulator = 0;
  for (let at = 0; at < code.length / 8; at++) {
    const [operation, yes, no, k] = [
      code.readUInt16LE(at * 8),
      code.readUInt8(at * 8 + 2),
      code.readUInt8(at * 8 + 3),
      code.readUInt32LE(at * 8 + 4),
    ];
    if (operation === 0x20) accumulator = data[k] ?? Number.NaN;
    else if (operation === 0x06) return k === 0x7fff0000 ? allow : k & 0xffff;
    else {
      const holds = { 0x15: accumulator === k, 0x35: accumulator >= k, 0x45: (accumulator & k) !== 0 }[operation];
      assert.notEqual(holds, undefined, `operation ${operation}`);
      at += holds === true ? yes : no;
    }
  }
  return 'fell off the end';
}
