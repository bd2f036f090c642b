-- Sample data of a contracts system.
create table if not exists contracts (id text primary key, customer_id text not null, payment_days int not null, signed_at date not null);

insert into contracts values
  ('K_301', 'C_201', 30, '2025-02-01'),
  ('K_302', 'C_202', 14, '2025-06-15'),
  ('K_303', 'C_203', 30, '2025-11-03')
on conflict (id) do nothing;
