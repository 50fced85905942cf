import type { RegisteredTable } from '../../src/planes/rows/server/index.ts'

/** The example business of the facts (appendix B), and one table with a text key. */
export const businessTables: readonly RegisteredTable[] = [
  'users',
  'posts',
  'categories',
  'teams',
  'team_members',
  'files',
  'file_reviews',
  'typed_rows',
  'notes',
].map((table) => ({ schema: 'business', table, syncKeyColumns: ['id'] }))

const table = (name: string, columns: string, key = 'uuid') => `
create table business.${name} (
  _sync_scope_id text not null,
  id ${key} not null,
  ${columns},
  primary key (_sync_scope_id, id)
);`

const reference = (child: string, column: string, parent: string, action = '') => `
alter table business.${child} add constraint ${child}_${column}_fk foreign key (_sync_scope_id, ${column})
  references business.${parent} (_sync_scope_id, id) ${action} deferrable initially deferred;`

export const businessSchema = [
  'create schema business;',
  table(
    'users',
    'name text not null, email text not null, created_at timestamptz not null default now(), updated_at timestamptz not null default now()',
  ),
  table(
    'posts',
    'title text not null, content text not null, author_id uuid, created_at timestamptz not null default now(), updated_at timestamptz not null default now()',
  ),
  table('categories', 'name text not null, parent_id uuid'),
  table('teams', 'name text not null, captain_member_id uuid'),
  table('team_members', 'name text not null, team_id uuid not null'),
  table('files', 'name text not null, data bytea not null'),
  table('file_reviews', 'review text not null, file_id uuid not null'),
  table(
    'typed_rows',
    'name text not null, note text, count_value bigint, enabled_flag bigint not null, rating double precision, data bytea, created_at timestamptz',
  ),
  table(
    'notes',
    `title text unique, amount numeric, done boolean not null default false, tags jsonb, due date,
  length integer generated always as (char_length(title)) stored, check (amount >= 0)`.replace(' unique', ''),
    'text',
  ),
  'create unique index notes_title_key on business.notes (_sync_scope_id, title);',
  reference('posts', 'author_id', 'users'),
  reference('categories', 'parent_id', 'categories', 'on delete cascade'),
  reference('teams', 'captain_member_id', 'team_members'),
  reference('team_members', 'team_id', 'teams', 'on delete cascade'),
  reference('file_reviews', 'file_id', 'files', 'on delete cascade'),
].join('\n')
