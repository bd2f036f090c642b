-- Sample data of a sales team. The names are invented.
create table if not exists leads (
  id text primary key, name text not null, company text not null, signals text, last_touch date, lead_status text not null,
  email text not null, phone text, payment_method text
);

create table if not exists lead_notes (lead_id text not null references leads, note text not null, at timestamptz not null default now());

insert into leads values
  ('L_1029', 'Ada Brandt', 'Northwind Traders', 'opened the pricing page twice', '2026-04-30', 'cold', 'ada.brandt@northwind.example', '+49 30 901820', 'visa ending 4242'),
  ('L_1030', 'Bo Lindqvist', 'Contoso Robotics', 'downloaded the security paper', '2026-05-02', 'untouched', 'bo.lindqvist@contoso.example', '+46 8 120 3400', null),
  ('L_1031', 'Chidi Okafor', 'Fabrikam Health', 'asked about data residency', '2026-05-04', 'cold', 'chidi.okafor@fabrikam.example', '+234 1 460 5500', 'mastercard ending 5100'),
  ('L_1032', 'Dalia Haddad', 'Tailspin Foods', 'is a customer since March', '2026-05-06', 'customer', 'dalia.haddad@tailspin.example', '+961 1 350 200', 'visa ending 1881')
on conflict (id) do nothing;
