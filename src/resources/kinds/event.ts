import { ageOf, column, defineKind, nameColumn } from '../define-kind.ts';
import { invalid } from '../field-errors.ts';
import type { Event } from '../kinds.ts';
import { objectMeta, objectReference } from '../meta.ts';
import { field, message } from '../schema.ts';

/** How long an event is kept after its newest write. */
const ttlSeconds = 3600;

export const events = defineKind<Event>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  ttlSeconds,
  message: message('Event', {
    metadata: field(1, objectMeta),
    involvedObject: field(2, objectReference, { required: true }),
    reason: field(3, 'string'),
    message: field(4, 'string'),
    source: field(5, message('EventSource', { component: field(1, 'string'), host: field(2, 'string') })),
    firstTimestamp: field(6, 'time'),
    lastTimestamp: field(7, 'time'),
    count: field(8, 'int32'),
    type: field(9, 'string'),
    eventTime: field(10, 'microTime'),
    series: field(11, message('EventSeries', { count: field(1, 'int32'), lastObservedTime: field(2, 'microTime') })),
    action: field(12, 'string'),
    related: field(13, objectReference),
    reportingComponent: field(14, 'string'),
    reportingInstance: field(15, 'string'),
  }),
  selectableFields: {
    'involvedObject.kind': (event) => event.involvedObject.kind ?? '',
    'involvedObject.namespace': (event) => event.involvedObject.namespace ?? '',
    'involvedObject.name': (event) => event.involvedObject.name ?? '',
    'involvedObject.uid': (event) => event.involvedObject.uid ?? '',
    'involvedObject.apiVersion': (event) => event.involvedObject.apiVersion ?? '',
    'involvedObject.resourceVersion': (event) => event.involvedObject.resourceVersion ?? '',
    'involvedObject.fieldPath': (event) => event.involvedObject.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component || event.reportingComponent || '',
    type: (event) => event.type ?? '',
  },
  columns: [
    column('Last Seen', 'How long ago it happened last.', lastSeen),
    column('Type', 'Normal or Warning.', (event) => event.type ?? ''),
    column('Reason', 'One word for what happened.', (event) => event.reason ?? ''),
    column('Object', 'What it happened to.', (event) => {
      const { kind = '', name } = event.involvedObject;
      return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
    }),
    column('Subobject', 'Which part of it.', (event) => event.involvedObject.fieldPath ?? '', { priority: 1 }),
    column('Source', 'Who saw it.', sourceOf, { priority: 1 }),
    column('Message', 'What happened.', (event) => (event.message ?? '').trim()),
    column('First Seen', 'How long ago it happened first.', (event, nowMs) => ageOf(firstTime(event), nowMs), {
      priority: 1,
    }),
    column('Count', 'How often.', countOf, { type: 'integer', priority: 1 }),
    { ...nameColumn(), priority: 1 },
  ],
  validate: (event, errors) => {
    const namespace = event.involvedObject?.namespace;
    if (namespace && namespace !== event.metadata.namespace) {
      errors.push(invalid('involvedObject.namespace', namespace, 'does not match event.namespace'));
    }
    if (event.type && event.type !== 'Normal' && event.type !== 'Warning') {
      errors.push(invalid('type', event.type, "must be 'Normal' or 'Warning'"));
    }
  },
});

function firstTime(event: Event): string | undefined {
  return event.firstTimestamp ?? event.eventTime;
}

function lastSeen(event: Event, nowMs: number): string {
  return ageOf(event.series?.lastObservedTime ?? event.lastTimestamp ?? firstTime(event), nowMs);
}

function countOf(event: Event): number {
  return event.series?.count ?? (event.count || 1);
}

function sourceOf(event: Event): string {
  const parts = [event.source?.component || event.reportingComponent, event.source?.host || event.reportingInstance];
  return parts.filter((part) => part).join(', ');
}
