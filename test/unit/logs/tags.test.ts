import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerInfo, logTag } from '@gantry/sdk/log';

const container: ContainerInfo = {
  id: 'abcdef0123456789',
  name: '/web',
  image: 'busybox:1',
  imageId: `sha256:${'1'.repeat(64)}`,
  command: ['sh', '-c', 'x'],
  env: ['COLOUR=red'],
  labels: { 'com.acme/team': 'Blue' },
  created: new Date(0),
  dir: '',
};

const tags: readonly (readonly [string, string])[] = [
  ['{{.ID}} {{.FullID}}', 'abcdef012345 abcdef0123456789'],
  ['{{.ImageName}}/{{.Name}}/{{.ID}}', 'busybox:1/web/abcdef012345'],
  ['{{.ImageID}} {{.ImageFullID}}', `111111111111 sha256:${'1'.repeat(64)}`],
  ['{{ .DaemonName }}: {{- .Command -}}', 'docker: sh -c x'],
  ['{{index .ContainerLabels "com.acme/team"}}{{index .ContainerLabels "none"}}', 'Blue'],
  ['{{(.ExtraAttributes nil).COLOUR}}{{(.ExtraAttributes nil).SIZE}}', 'red'],
  ['{{upper .Name}} {{.Name | title}} {{index .ContainerLabels "com.acme/team" | lower}}', 'WEB Web blue'],
  ['no markup', 'no markup'],
];
for (const [template, tag] of tags) {
  test(`logTag fills ${template}`, () => assert.equal(logTag(container, template, { env: 'COLOUR,SIZE' }), tag));
}

for (const template of [
  '{{.Nope}}',
  '{{',
  '{{.Name',
  '{{evil .Name}}',
  '{{.Name | constructor}}',
  '{{.constructor}}',
  '{{index .Other "x"}}',
  '{{}}',
]) {
  test(`logTag refuses ${template}`, () =>
    assert.throws(() => logTag(container, template), { code: 'invalid_argument', message: /log opt tag/ }));
}
