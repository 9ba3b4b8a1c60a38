// The listings of the example: twenty, made up.

export const STATUSES = ['Active', 'Pending', 'Sold'] as const;

export interface Listing {
  listingId: string;
  address: { street: string; city: string; state: string; zip: string };
  price: number;
  bedrooms: number;
  bathrooms: number;
  status: (typeof STATUSES)[number];
}

type Row = readonly [
  street: string,
  city: string,
  zip: string,
  price: number,
  bedrooms: number,
  bathrooms: number,
  status: Listing['status'],
];

const ROWS: readonly Row[] = [
  ['118 NW Alder Lane', 'Portland', '97209', 725_000, 3, 2.5, 'Active'],
  ['2304 SE Quince Street', 'Portland', '97202', 865_000, 4, 3, 'Active'],
  ['47 N Ferry Court', 'Portland', '97217', 589_000, 3, 2, 'Pending'],
  ['905 SW Basalt Avenue', 'Portland', '97205', 425_000, 2, 1, 'Active'],
  ['6610 NW Heron Ridge Road', 'Portland', '97229', 1_250_000, 5, 4, 'Active'],
  ['3121 NE Plum Terrace', 'Portland', '97213', 515_000, 3, 1.5, 'Sold'],
  ['78 SE Lantern Street', 'Portland', '97214', 648_000, 3, 2, 'Active'],
  ['1540 NE Orchard Drive', 'Portland', '97211', 799_000, 4, 2.5, 'Active'],
  ['22 N Mill Race Way', 'Portland', '97227', 560_000, 2, 2, 'Active'],
  ['4417 SW Council Crest Loop', 'Portland', '97239', 980_000, 4, 3.5, 'Pending'],
  ['893 SE Willow Bend', 'Portland', '97215', 695_000, 3, 2, 'Active'],
  ['1209 Larkspur Avenue N', 'Seattle', '98103', 925_000, 3, 2, 'Active'],
  ['318 Tugboat Street', 'Seattle', '98109', 610_000, 2, 1, 'Active'],
  ['7702 Madrona Hill Road', 'Seattle', '98122', 1_350_000, 4, 3, 'Active'],
  ['55 Lighthouse Point W', 'Seattle', '98199', 1_790_000, 5, 3.5, 'Sold'],
  ['2016 Gable Street SW', 'Seattle', '98116', 1_080_000, 3, 2.5, 'Active'],
  ['9 Cedar Knoll', 'Bellevue', '98004', 2_200_000, 6, 5, 'Active'],
  ['14120 SE Meadow Park', 'Bellevue', '98006', 1_480_000, 4, 3, 'Pending'],
  ['611 Harbor Steps', 'Kirkland', '98033', 1_195_000, 4, 2.5, 'Active'],
  ['17033 NE Salmon Run', 'Redmond', '98052', 998_000, 3, 2.5, 'Sold'],
];

export const LISTINGS: readonly Listing[] = ROWS.map(
  ([street, city, zip, price, bedrooms, bathrooms, status], i) => ({
    listingId: `L${String(i + 1).padStart(3, '0')}`,
    address: { street, city, state: city === 'Portland' ? 'OR' : 'WA', zip },
    price,
    bedrooms,
    bathrooms,
    status,
  }),
);
