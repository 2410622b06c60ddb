import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DockerCommand } from '../../../core/cli/command.ts';
import { attachmentOf, type ContainerFlags, containerOptions, toCreateBody } from '../../../core/cli/container-options/index.ts';

test('toCreateBody() sends no more than was said', () => {
  assert.deepEqual(bodyOf('busybox'), {
    Image: 'busybox',
    OpenStdin: false,
    StdinOnce: false,
    Tty: false,
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    Env: [],
    Labels: {},
    HostConfig: { Binds: [], CapAdd: null, CapDrop: null, GroupAdd: null },
    NetworkingConfig: { EndpointsConfig: {} },
  });
});

test('toCreateBody() leaves what follows the image to the container', () => {
  const { Cmd, HostConfig } = bodyOf('--init=false', '-m', '64m', 'busybox', '--rm', '-e', 'x', '--init=false');
  assert.deepEqual(
    [Cmd, HostConfig],
    [['--rm', '-e', 'x', '--init=false'], { Memory: 67_108_864, Init: false, Binds: [], CapAdd: null, CapDrop: null, GroupAdd: null }],
  );
});

test('toCreateBody() turns every flag into the field that docker sends', () => {
  const body = bodyOf(
    ...'-it --rm --name n -h host -u 1:2 -w /w -e A=1 -l a=b -v data:/d -v /anon --tmpfs /t:size=1m -p 127.0.0.1:80:80 --expose 443'.split(
      ' ',
    ),
    ...'--net web --net-alias x --ip 10.0.0.9 --dns 1.1.1.1 --add-host a:1.2.3.4 --cap-add NET_ADMIN --ulimit nofile=1:2'.split(' '),
    ...'--cpus 1.5 --pids-limit 10 --log-driver local --log-opt max-size=1m --security-opt systempaths=unconfined'.split(' '),
    ...'--health-cmd true --health-interval 5s --stop-timeout 3 --entrypoint sh busybox'.split(' '),
    '-c',
    'true',
  );
  assert.deepEqual(body, {
    Image: 'busybox',
    Cmd: ['-c', 'true'],
    OpenStdin: true,
    StdinOnce: true,
    Tty: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Hostname: 'host',
    User: '1:2',
    WorkingDir: '/w',
    Entrypoint: ['sh'],
    Env: ['A=1'],
    Labels: { a: 'b' },
    ExposedPorts: { '443/tcp': {}, '80/tcp': {} },
    Volumes: { '/anon': {} },
    StopTimeout: 3,
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
    HostConfig: {
      NanoCpus: 1.5e9,
      PidsLimit: 10,
      Binds: ['data:/d'],
      Tmpfs: { '/t': 'size=1m' },
      NetworkMode: 'web',
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '80' }] },
      ExtraHosts: ['a:1.2.3.4'],
      Dns: ['1.1.1.1'],
      AutoRemove: true,
      LogConfig: { Type: 'local', Config: { 'max-size': '1m' } },
      CapAdd: ['NET_ADMIN'],
      CapDrop: null,
      GroupAdd: null,
      MaskedPaths: [],
      ReadonlyPaths: [],
      Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
    },
    NetworkingConfig: { EndpointsConfig: { web: { IPAMConfig: { IPv4Address: '10.0.0.9' }, Aliases: ['x'] } } },
  });
});

const refused: readonly (readonly [words: string, message: RegExp])[] = [
  ['--rm --restart always busybox', /--rm and --restart contradict/],
  ['--no-healthcheck --health-cmd x busybox', /--no-healthcheck and --health-cmd contradict/],
  ['--net a --net a busybox', /network "a" is named twice/],
  ['--net name=a,ip=10.0.0.1 --ip 10.0.0.2 busybox', /says IPAMConfig already/],
  ['-t -a stderr busybox', /a terminal has no stderr/],
  ['-m 64q busybox', /--memory: "64q" is not a size/],
  ['-p x:y busybox', /--publish: "x:y"/],
  ['--gpus some busybox', /"some" is not a number of GPUs/],
  ['--gpus 0 busybox', /asks for no GPU/],
  ['--gpus colour=red busybox', /has an unknown field: colour/],
  ['--pull perhaps busybox', /--pull: "perhaps" is not one of always, missing, never/],
  ['--bogus busybox', /unknown flag: --bogus/],
  ['-m', /flag needs a value: -m, --memory <size>/],
];
for (const [words, message] of refused)
  test(`toCreateBody() refuses "${words}" by name`, () => assert.throws(() => bodyOf(...words.split(' ')), message));

test('attachmentOf() attaches the named streams, else the outputs, and stdin when it is open', () => {
  const of = (...words: readonly string[]) =>
    Object.entries(attachmentOf(flagsOf(...words, 'busybox'), { detach: false })).flatMap(([stream, is]) => (is ? [stream] : []));
  assert.deepEqual(
    [of(), of('-i'), of('-a', 'stderr'), of('-i', '-a', 'STDIN')],
    [['stdout', 'stderr'], ['stdin', 'stdout', 'stderr'], ['stderr'], ['stdin']],
  );
});

function commandFor(words: readonly string[]): DockerCommand {
  const command = new DockerCommand('run');
  for (const option of containerOptions()) command.addOption(option);
  command
    .helpOption('--help')
    .argument('<image>')
    .argument('[command...]')
    .passThroughOptions()
    .action(() => undefined);
  command.read(words);
  return command;
}

function flagsOf(...words: readonly string[]): ContainerFlags {
  return commandFor(words).opts<ContainerFlags & Record<string, unknown>>();
}

function bodyOf(...words: readonly string[]): ReturnType<typeof toCreateBody> {
  const [image = '', ...command] = commandFor(words).args;
  const flags = flagsOf(...words);
  return toCreateBody(flags, image, command, attachmentOf(flags, { detach: false }));
}
