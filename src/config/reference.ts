import { type Setting, settings } from './setting.ts'

/** The text of docs/reference/configuration.md. A test compares the two, so the page cannot lag behind the schema. */
export function configurationReference(): string {
  return `# Configuration

<!-- Generated from src/config/schema.ts. After a change there: UPDATE_REFERENCE=1 npm test -->

A node runs without any configuration. A key is taken from the first of these that gives it:

1. a flag of the command line, \`--port 7000\`
2. an environment variable, \`SYNCLINE_PORT=7000\`
3. the YAML file named by \`--config\` or \`SYNCLINE_CONFIG\`
4. its default

In flags and environment variables a list is written \`a,b\`, names with numbers are written \`name=1,other=2\`, and lists
of rules or filters are written as JSON.
An unknown key, variable or value is an error that names the place it came from: nothing is ignored.

\`\`\`yaml
name: Our mirror
publicUrls: [wss://relay.example.org/]
log:
  level: warn
\`\`\`

| Key | Default | Meaning |
|---|---|---|
${settings.map((setting) => `| [\`${setting.key}\`](#${anchor(setting)}) | ${defaultText(setting)} | ${firstSentence(setting)} |`).join('\n')}

${settings.map(section).join('\n')}`
}

function section(setting: Setting): string {
  return `## ${setting.key}

${setting.description}

- Allowed: ${setting.allowed}
- Default: ${defaultText(setting)}
- Flag: \`${setting.flag}\`
- Environment: \`${setting.env}\`
`
}

function anchor(setting: Setting): string {
  return setting.key.toLowerCase().replaceAll('.', '')
}

function firstSentence(setting: Setting): string {
  return /^.*?[.:;](?=\s|$)/.exec(setting.description)![0].replace(/[.:;]$/, '')
}

function defaultText(setting: Setting): string {
  if (setting.defaultText !== undefined) return setting.defaultText
  const value = setting.default
  if (value === '') return 'empty'
  if (Array.isArray(value)) return value.length === 0 ? 'empty' : `\`${value.join(',')}\``
  if (typeof value === 'object') return 'empty'
  return `\`${String(value)}\``
}
