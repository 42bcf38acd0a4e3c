/*
 * Makes every sync of a file a lie: a preloaded library to fill a database in minutes, not hours.
 */
int fsync(int descriptor)
{
    (void)descriptor;
    return 0;
}

int fdatasync(int descriptor)
{
    (void)descriptor;
    return 0;
}
