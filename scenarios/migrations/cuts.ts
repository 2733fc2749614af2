import type { Client } from 'pg'

/**
 * Ends the backend of a migration at its n-th moment: a statement that writes token_usage, or a change of the schema.
 * The cuts live in the database, and a sequence counts, which no rollback takes back.
 */
export class Cuts {
  readonly #db: Client
  #at: number | undefined

  private constructor(db: Client) {
    this.#db = db
  }

  static async into(db: Client): Promise<Cuts> {
    await db.query(`
      create schema cuts;
      create table cuts.armed (at bigint);
      create sequence cuts.moments;
      grant usage on schema cuts to public;
      create function cuts.moment() returns void language plpgsql security definer set search_path = '' as $$
      begin
        if current_setting('application_name') = 'token-ledger-migrate'
           and nextval('cuts.moments') = (select a.at from cuts.armed as a) then
          perform pg_terminate_backend(pg_backend_pid());
        end if;
      end $$;
      create function cuts.at_write() returns trigger language plpgsql as $$
        begin perform cuts.moment(); return null; end $$;
      create function cuts.at_change() returns event_trigger language plpgsql as $$
        begin perform cuts.moment(); end $$;
      create trigger cuts before insert or update on public.token_usage
        for each statement execute function cuts.at_write();
      create event trigger cuts on ddl_command_start execute function cuts.at_change();`)
    return new Cuts(db)
  }

  async removed(): Promise<void> {
    await this.#db.query(
      'drop event trigger cuts; drop trigger cuts on public.token_usage; drop schema cuts cascade',
    )
  }

  /**
   * Runs a command, and ends it at its moment; not at all where it has fewer.
   * @throws what it throws by itself
   */
  async during(at: number | undefined, command: () => Promise<unknown>): Promise<void> {
    await this.#arm(at)
    try {
      await command()
    } catch (error) {
      if (!(await this.#wasCut())) throw error
    }
    await this.#arm(undefined)
  }

  async #arm(at: number | undefined): Promise<void> {
    this.#at = at
    await this.#db.query('truncate cuts.armed')
    await this.#db.query('alter sequence cuts.moments restart')
    await this.#db.query('insert into cuts.armed values ($1)', [at ?? null])
  }

  async #wasCut(): Promise<boolean> {
    const { rows } = await this.#db.query<{ moments: number }>(
      'select last_value::int as moments from cuts.moments',
    )
    return this.#at !== undefined && (rows[0]?.moments ?? 0) >= this.#at
  }
}
