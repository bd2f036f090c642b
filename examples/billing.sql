-- Sample data of a billing system; amounts are cents.
create table if not exists charges (
  id text primary key, customer_id text not null, amount bigint not null, currency text not null, refunded bigint not null default 0, charged_at date not null
);

create table if not exists refunds (id text primary key, charge_id text not null references charges, amount bigint not null, currency text not null, justification text not null);

insert into charges values
  ('ch_1001', 'C_201', 24900, 'USD', 0, '2026-05-01'),
  ('ch_1002', 'C_202', 129900, 'USD', 0, '2026-05-02'),
  ('ch_1003', 'C_203', 990000, 'USD', 0, '2026-05-03')
on conflict (id) do nothing;
