#!/usr/bin/env node
import { main } from '@gantry/sdk/command';

process.exitCode = await main(['create', ...process.argv.slice(2)]);
