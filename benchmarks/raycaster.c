/* A raycaster: textured walls, floor and ceiling with distance shading, 8-bit RGB. Of each column one ray is followed;
   the picture is then written once, row by row, in loops that a compiler can make vector instructions of. What a
   first-person view costs in good portable C: the yardstick of the egocentric environments, which draw the same walls,
   floor and ceiling, and sprites, and step their world besides. */

#include <math.h>
#include <stdint.h>

enum { SIZE = 24, SIDE = 64, AREA = SIDE * SIDE, WIDEST = 640 };

/* What each column of the picture shows of its wall. Places in a cell, and in a texture, count 2^32 from edge to edge:
   they wrap around as the cells do, and their first six bits are the texel. */
typedef struct {
    int32_t top[WIDEST], bottom[WIDEST]; /* rows of the picture where it begins and ends */
    uint32_t texel[WIDEST];              /* in row 0 of its texture */
    uint32_t place[WIDEST];              /* in the texture, at row 0 of the picture */
    uint32_t grain[WIDEST];              /* how far a row of the picture goes on in the texture */
    uint32_t light[WIDEST];
} Columns;

static uint32_t fixed(double place) { return (uint32_t)(int64_t)(place * 4294967296.0); }

static uint32_t texel_of(uint32_t place) { return place >> 26; }

static double shade(double distance) { return 256.0 / (1.0 + 0.12 * distance); }

/* Follow the ray of column k from cell to cell until a wall. */
static void cast(const uint8_t *grid, double x, double y, double dx, double dy, double focus, int height, int k,
                 Columns *columns) {
    const double across_x = fabs(1.0 / dx), across_y = fabs(1.0 / dy);
    const int step_x = dx > 0.0 ? 1 : -1, step_y = dy > 0.0 ? SIZE : -SIZE;
    double next_x = (dx > 0.0 ? floor(x) + 1.0 - x : x - floor(x)) * across_x;
    double next_y = (dy > 0.0 ? floor(y) + 1.0 - y : y - floor(y)) * across_y;
    double distance = 0.0;
    int along_x = 0;
    const uint8_t *cell = grid + (int)y * SIZE + (int)x;
    while (*cell == 0) {
        along_x = next_x >= next_y;
        if (along_x) {
            distance = next_y, next_y += across_y, cell += step_y;
        } else {
            distance = next_x, next_x += across_x, cell += step_x;
        }
    }
    const double place = along_x ? x + distance * dx : y + distance * dy;
    const int mirrored = along_x ? dy > 0.0 : dx < 0.0;
    const uint32_t texel = texel_of(fixed(place));
    distance = fmax(distance, 1e-3);
    const double tall = focus / distance, top = 0.5 * (height - tall);
    columns->top[k] = (int32_t)fmax(ceil(top - 0.5), 0.0);
    columns->bottom[k] = (int32_t)fmin(ceil(top + tall - 0.5), height);
    columns->texel[k] = (uint32_t)(*cell - 1) * AREA + (mirrored ? SIDE - 1 - texel : texel);
    columns->place[k] = fixed((0.5 - top) / tall);
    columns->grain[k] = fixed(1.0 / tall);
    columns->light[k] = (uint32_t)((along_x ? 0.75 : 1.0) * shade(distance));
}

/* Draw one picture; the player sees 90 degrees of the world. */
static void draw(const uint8_t *grid, double x, double y, double angle, const uint32_t *atlas, int floor_texture,
                 int ceiling_texture, int width, int height, uint8_t *out) {
    const double c = cos(angle), n = sin(angle), focus = 0.5 * width;
    Columns columns;
    int32_t highest = height, lowest = 0;
    for (int k = 0; k < width; k++) {
        const double across = (2.0 * k + 1.0) / width - 1.0;
        cast(grid, x, y, c - n * across, n + c * across, focus, height, k, &columns);
        highest = columns.top[k] < highest ? columns.top[k] : highest;
        lowest = columns.bottom[k] > lowest ? columns.bottom[k] : lowest;
    }
    for (int row = 0; row < height; row++, out += 3 * width) {
        uint32_t texel[WIDEST], light[WIDEST], colour[WIDEST];
        const double below = row + 0.5 - 0.5 * height, far = 0.5 * focus / fmax(fabs(below), 0.5);
        const double left = far * (1.0 / width - 1.0), pitch = far * 2.0 / width;
        const uint32_t plane = (uint32_t)(below > 0.0 ? floor_texture : ceiling_texture) * AREA;
        const uint32_t from_u = fixed(x + far * c - left * n), from_v = fixed(y + far * n + left * c);
        const uint32_t step_u = fixed(-pitch * n), step_v = fixed(pitch * c), dim = (uint32_t)shade(far);
        for (int k = 0; k < width; k++) {
            const uint32_t u = from_u + (uint32_t)k * step_u, v = from_v + (uint32_t)k * step_v;
            texel[k] = plane + texel_of(v) * SIDE + texel_of(u);
            light[k] = dim;
        }
        const int walls = row >= highest && row < lowest ? width : 0;
        for (int k = 0; k < walls; k++) {
            const int inside = (row >= columns.top[k]) & (row < columns.bottom[k]);
            const uint32_t v = texel_of(columns.place[k] + (uint32_t)row * columns.grain[k]);
            texel[k] = inside ? columns.texel[k] + v * SIDE : texel[k];
            light[k] = inside ? columns.light[k] : light[k];
        }
        for (int k = 0; k < width; k++) {
            const uint32_t dark = atlas[texel[k]];
            colour[k] = ((dark & 0xff00ff) * light[k] >> 8 & 0xff00ff) | ((dark & 0xff00) * light[k] >> 8 & 0xff00);
        }
        for (int k = 0; k < width; k++) {
            out[3 * k] = (uint8_t)colour[k];
            out[3 * k + 1] = (uint8_t)(colour[k] >> 8);
            out[3 * k + 2] = (uint8_t)(colour[k] >> 16);
        }
    }
}

/* Draw `rows` pictures (height, width, 3), one of each player. Textures lie one after the other in the atlas, each SIDE
   rows of SIDE colours, red + 256 green + 65536 blue; the walls of a grid are their numbers + 1. */
void raycaster_draw(int64_t rows, const uint8_t *grids, const double *x, const double *y, const double *angle,
                    const uint32_t *atlas, int64_t floor_texture, int64_t ceiling_texture, int64_t width,
                    int64_t height, uint8_t *out) {
    for (int64_t i = 0; i < rows; i++)
        draw(grids + i * SIZE * SIZE, x[i], y[i], angle[i], atlas, (int)floor_texture, (int)ceiling_texture,
             (int)width, (int)height, out + i * height * width * 3);
}
