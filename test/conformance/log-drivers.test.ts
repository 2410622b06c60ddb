import { MemoryLogDriver } from '@gantry/sdk/testing';
import { JsonFileDriver } from '../../plugins/log/json-file/driver.ts';
import { noneDriver } from '../../plugins/log/none/driver.ts';
import { testLogDriver } from '../support/log-subject.ts';

const memory = new MemoryLogDriver();

testLogDriver('json-file', ['read', 'attributes', 'purge'], () => new JsonFileDriver());
testLogDriver('none', ['refuse'], () => noneDriver);
testLogDriver('memory', ['read', 'attributes', 'purge'], () => memory);
