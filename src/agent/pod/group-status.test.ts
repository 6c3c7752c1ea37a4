import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerObservation, ContainerState } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { pauseName } from './pause.ts';
import { renderPodStatus } from './status.ts';
import { containerOf, podOf } from './test-objects.ts';

const group = (spec: Partial<Pod['spec']> = {}, phase?: string): Pod => {
  const pod = podOf({}, {}, spec, phase);
  const initContainers = [{ name: 'init' }, { name: 'side', restartPolicy: 'Always' }];
  return { ...pod, spec: { initContainers, ...pod.spec, containers: [{ name: 'app' }, { name: 'helper' }] } };
};
const one = (name: string, state: ContainerState, exitCode = 1, pause = 'POD-0'): ContainerObservation => {
  const { exitCode: _none, ...made } = containerOf(0, state);
  const joined = name === pauseName ? {} : { [hostLabels.pause]: pause };
  const end = state === 'exited' ? { exitCode } : {};
  return { ...made, ...end, id: `${name}-0`, labels: { ...made.labels, [hostLabels.container]: name, ...joined } };
};
const render = (containers: ContainerObservation[], pod = group(), unready: readonly string[] = []) => {
  const status = renderPodStatus({
    ...{ pod, containers, podAddresses: ['10.80.0.2'], hostAddresses: ['192.0.2.1'], messages: new Map() },
    factsOf: (name) => ({
      ...{ crashes: 0, lastAttempt: containers.some(({ id }) => id === `${name}-0`) ? 0 : -1 },
      ...{ isProbedReady: !unready.includes(name), isStarted: !unready.includes(name) },
    }),
    wallMs: 0,
  });
  const conditions = (status.conditions ?? []).map(({ type, status: is, reason, message }) =>
    [type, is, reason, message].filter(Boolean).join(' '),
  );
  const state = (name: string) => {
    const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
    const { ready, state: is } = all.find((each) => each.name === name) ?? {};
    const [kind = '', what] = Object.entries(is ?? {})[0] ?? [];
    const { reason = '' } = (what ?? {}) as { reason?: string };
    return `${kind} ${reason}${ready ? ' ready' : ''}`.replace(/ +/, ' ').trim();
  };
  return { phase: status.phase, conditions, state };
};

const pause = one('POD', 'running');
const done = one('init', 'exited', 0);
const side = one('side', 'running');
const apps = [one('app', 'running'), one('helper', 'running')];

describe('status of a pod of several containers', () => {
  it('says what is not initialised', () => {
    const { phase, conditions, state } = render([pause, one('init', 'running')]);
    assert.equal(phase, 'Pending');
    assert.deepEqual(conditions, [
      'Initialized False ContainersNotInitialized containers with incomplete status: [init side]',
      'Ready False ContainersNotReady containers with unready status: [side app helper]',
      'ContainersReady False ContainersNotReady containers with unready status: [side app helper]',
    ]);
    assert.deepEqual(['init', 'side', 'app', 'helper'].map(state), [
      'running',
      'waiting PodInitializing',
      'waiting PodInitializing',
      'waiting PodInitializing',
    ]);
  });

  it('is Pending until each app container has run, and Ready when sidecars are, too', () => {
    assert.equal(render([pause, done, side, one('app', 'running')]).phase, 'Pending');
    const whole = render([pause, done, side, ...apps]);
    assert.equal(whole.phase, 'Running');
    assert.deepEqual(whole.conditions, ['Initialized True', 'Ready True', 'ContainersReady True']);
    assert.deepEqual(['init', 'side', 'app'].map(whole.state), [
      'terminated Completed ready',
      'running ready',
      'running ready',
    ]);
    assert.match(
      render([pause, done, side, ...apps], group(), ['side']).conditions[1] ?? '',
      /unready status: \[side\]$/,
    );
  });

  it('begins again when the pause container is another one, and stays Running', () => {
    const second = { ...one('POD', 'running'), id: 'POD-1' };
    const { phase, conditions, state } = render(
      [second, done, one('side', 'exited'), one('app', 'exited')],
      group({}, 'Running'),
    );
    assert.equal(phase, 'Running');
    assert.match(conditions[0] ?? '', /^Initialized False .*\[init side\]$/);
    assert.equal(state('init'), 'waiting PodInitializing');
  });

  it('ends with its last container, sidecars too', () => {
    const never = group({ restartPolicy: 'Never' });
    const ended = [one('app', 'exited', 0), one('helper', 'exited', 0)];
    assert.equal(render([pause, done, side, ...ended], never).phase, 'Running');
    const sideEnded = one('side', 'exited', 143);
    assert.equal(render([pause, done, sideEnded, ...ended], never).phase, 'Succeeded');
    assert.equal(
      render([pause, done, sideEnded, one('app', 'exited', 2), one('helper', 'exited', 0)], never).phase,
      'Failed',
    );
  });

  it('is Failed when an init container failed that is not run again', () => {
    const { phase, conditions, state } = render([pause, one('init', 'exited', 3)], group({ restartPolicy: 'Never' }));
    assert.equal(phase, 'Failed');
    assert.deepEqual([state('init'), state('app')], ['terminated Error', 'waiting PodInitializing']);
    assert.match(conditions.join(), /Ready False PodFailed/);
    assert.equal(render([pause, one('init', 'exited', 3)]).phase, 'Pending');
  });
});
