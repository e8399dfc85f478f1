SELECT currency, decimals
FROM UNNEST([
  STRUCT('ARS' AS currency, 2 AS decimals),
  STRUCT('BOB', 2), STRUCT('BRL', 2), STRUCT('CAD', 2), STRUCT('CLP', 0), STRUCT('COP', 2), STRUCT('CRC', 2),
  STRUCT('EUR', 2), STRUCT('GBP', 2), STRUCT('GTQ', 2), STRUCT('JPY', 0), STRUCT('KWD', 3), STRUCT('MXN', 2),
  STRUCT('PEN', 2), STRUCT('PYG', 0), STRUCT('USD', 2), STRUCT('UYU', 2)
])
