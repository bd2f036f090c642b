-- Sample data of a customer relations system. The names are invented.
create table if not exists customer (
  id text primary key, company text not null, monthly_usage int not null, tier text not null, payment_method text, contract_terms text
);

insert into customer values
  ('C_201', 'Northwind Traders', 1840, 'free', 'visa ending 4242', 'net 30'),
  ('C_202', 'Contoso Robotics', 12400, 'growth', 'sepa ending 0192', 'net 14'),
  ('C_203', 'Fabrikam Health', 96000, 'enterprise', 'invoice', 'master agreement of 2025')
on conflict (id) do nothing;
