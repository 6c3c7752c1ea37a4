import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { addStackCommands } from './commands.ts';

test('a second file is refused: nothing would be read of the first', async () => {
  const said: string[] = [];
  const program = new Command('flotilla').exitOverride().configureOutput({ writeErr: (text) => said.push(text) });
  addStackCommands(program);
  await assert.rejects(program.parseAsync(['deploy', '-f', 'a.yml', '-f', 'b.yml'], { from: 'user' }), {
    code: 'commander.invalidArgument',
  });
  assert.match(said.join(''), /'b\.yml' is invalid\. Several files are not merged/);
});
