import { gitMetricDefinitions } from './git-metrics.ts'
import { type MetricDefinition, metricDefinitions } from './metric-definitions.ts'
import { mirrorMetricDefinitions } from './mirror-metrics.ts'

/** The text of docs/reference/metrics.md. A test compares the two, so the page cannot lag behind the names. */
export function metricsReference(): string {
  const rows = [metricDefinitions, mirrorMetricDefinitions, gitMetricDefinitions]
    .flatMap<MetricDefinition>((all) => Object.values(all))
    .map(
      ({ name, kind, unit, labels, help }) =>
        `| \`${name}\` | ${kind} | ${unit} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    )
  return `# Metrics

<!-- Generated from src/telemetry/metric-definitions.ts. After a change there: UPDATE_REFERENCE=1 npm test -->

\`GET /metrics\` on the admin listener, in the form of Prometheus. Beside these there are the usual \`process_\` and \`nodejs_\`
metrics. \`peer\` is the id of a relay, \`direction\` \`down\`, \`up\` or \`both\`, \`strategy\` the way last used to find stored
events. Counters begin at 0 when a link is made or reset; those of the store when the process begins.

| Name | Kind | Unit | Labels | |
|---|---|---|---|---|
${rows.join('\n')}
`
}
