import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderUnit } from './unit.ts';

test('the unit starts this program with this node again', () => {
  const unit = renderUnit({
    program: '/opt/flotilla/bin/flotilla',
    args: ['--data', '/var/lib/flotilla', '--name', 'h1'],
    nodeBinary: '/usr/bin/node',
  });
  assert.match(unit, /^ExecStart=\/opt\/flotilla\/bin\/flotilla up --data \/var\/lib\/flotilla --name h1$/m);
  assert.match(unit, /^Environment=FLOTILLA_NODE=\/usr\/bin\/node$/m);
  assert.match(unit, /^Restart=always$/m);
  assert.match(unit, /^WantedBy=multi-user.target$/m);
});

test('words that systemd would read otherwise are quoted', () => {
  const unit = renderUnit({
    program: '/a b/flotilla',
    args: ['--name', '100%', '--data', '/x/$HOME"q'],
    nodeBinary: '/n',
  });
  assert.match(unit, /^ExecStart="\/a b\/flotilla" up --name 100%% --data "\/x\/\$\$HOME\\"q"$/m);
});
