import {readFileSync}   from 'node:fs';

import {claudeCode}     from '../../../sources/agents/claude-code/index.ts';
import {readerBattery}  from '../_battery.ts';

import {fixtureFile, fixtureNumbers} from './_read.ts';

readerBattery(claudeCode.source!, fixtureNumbers.slice(0, 2).map(number => ({name: number, text: readFileSync(fixtureFile(number), `utf8`)})));
