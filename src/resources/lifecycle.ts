import { forbidden, required } from './field-errors.ts';
import { execAction, httpGetAction, tcpSocketAction } from './probe.ts';
import { field, type JsonObject, message, unsupported } from './schema.ts';

const handler = message(
  'LifecycleHandler',
  {
    exec: field(1, execAction),
    httpGet: field(2, httpGetAction),
    tcpSocket: field(3, tcpSocketAction, {
      ignored: 'does nothing, as in Kubernetes',
    }),
    sleep: field(4, message('SleepAction', { seconds: field(1, 'int64', { min: 0 }) })),
  },
  {
    validate: (one: JsonObject, path, errors) => {
      const given = Object.keys(one).filter((name) => one[name] !== undefined);
      if (given.length === 0) errors.push(required(path, 'must specify a handler type'));
      for (const surplus of given.slice(1)) {
        errors.push(forbidden(`${path}.${surplus}`, 'may not specify more than 1 handler type'));
      }
    },
  },
);

/** What is done right after a container's start and before its end. */
export const lifecycle = message('Lifecycle', {
  postStart: field(1, handler, { description: 'Fails: the container is stopped and started anew.' }),
  preStop: field(2, handler, { description: 'Done before SIGTERM; its time is part of the grace period.' }),
  stopSignal: unsupported(3, 'set STOPSIGNAL in the image', { type: 'string', optional: true }),
});
